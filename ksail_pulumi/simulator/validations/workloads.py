"""Validation of system extensions, kernel arguments, manifests and health checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import yaml

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, LABEL_CLUSTER, PREFIX, TALOS_EXTENSIONS, Resource
from ksail_pulumi.simulator import goyaml
from ksail_pulumi.simulator.validations.context import Context
from ksail_pulumi.simulator.validations.metadata import has_control_characters

MOST_EXTENSIONS = 256
MOST_KERNEL_ARGS = 64
LONGEST_KERNEL_ARG = 256
"""Bytes."""
SHORTEST_HEALTH_CHECK = timedelta(seconds=5)
LONGEST_SUBDOMAIN = 253
SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
LABEL_SYSTEM_MANIFEST = PREFIX + "system-manifest"


def extensions_on_create(context: Context, configuration: Resource) -> Iterator[str]:
    wanted = configuration.spec.extensions
    if not wanted:
        return
    if not configuration.cluster:
        yield ("extensions configuration with a non-empty extensions list must target a cluster via the cluster label")
        return
    cluster = context.find(CLUSTER, configuration.cluster)
    if cluster is None:
        yield f'cluster "{configuration.cluster}" does not exist'
        return
    if len(wanted) > MOST_EXTENSIONS:
        yield f"extensions list has {len(wanted)} entries, exceeds maximum of {MOST_EXTENSIONS}"
        return
    talos = cluster.spec.talos_version
    offered = context.find(TALOS_EXTENSIONS, talos)
    known = {item.name for item in offered.spec.items} if offered else set()
    seen: set[str] = set()
    for number, name in enumerate(wanted):
        full = name if "/" in name else f"siderolabs/{name}"
        if full in seen:
            yield f'extension "{name}" (entry {number}) is listed more than once'
            return
        seen.add(full)
        if full not in known:
            yield f'extension "{name}" (entry {number}) is not available for Talos version "{talos}"'
            return


def kernel_args_on_create(_situation: Context, kernel_args: Resource) -> Iterator[str]:
    args = kernel_args.spec.args
    if len(args) > MOST_KERNEL_ARGS:
        yield f"args has too many entries: {len(args)} (max {MOST_KERNEL_ARGS})"
        return
    for number, arg in enumerate(args):
        size = len(arg.encode())
        if size > LONGEST_KERNEL_ARG:
            yield f"args[{number}] is too long: {size} bytes (max {LONGEST_KERNEL_ARG})"
        elif has_control_characters(arg):
            yield f"args[{number}] contains a control character"


def install_disk_on_create(_situation: Context, install: Resource) -> Iterator[str]:
    if install.spec.disk and install.spec.disk_selector:
        yield "disk and disk selector are mutually exclusive"
    elif not install.spec.disk and not install.spec.disk_selector:
        yield "either disk or disk selector must be set"


def manifest_group_on_create(_situation: Context, group: Resource) -> Iterator[str]:
    if LABEL_SYSTEM_MANIFEST in group.labels:
        yield "system manifests can't be created by the user"
        return
    if LABEL_CLUSTER not in group.labels:
        yield f"the resource must have {LABEL_CLUSTER} label set"
        return
    if group.spec.mode == specs_pb2.KubernetesManifestGroupSpec.UNKNOWN:
        yield "the manifest should have mode field set"
        return
    try:
        documents = goyaml.load_all(group.spec.data)
    except yaml.MarkedYAMLError as error:
        yield f"error converting manifest to JSON: {_go_yaml(error)}"
        return
    for document in documents:
        if document is not None and not (isinstance(document, dict) and document.get("kind")):
            text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
            yield f"error loading JSON manifest into unstructured: Object 'Kind' is missing in '{text}'"
            return


def health_check_on_create(_situation: Context, check: Resource) -> Iterator[str]:
    """Omni does not check that the manifest is a Job."""
    if not check.spec.job:
        yield "healthcheck job manifest must be set"
        return
    runner = f"omni-healthcheck-{check.id}"
    if wrong := [*_subdomain_faults(runner)]:
        reason = "; ".join(wrong)
        yield f'healthcheck ID "{check.id}" cannot be used to build the runner name "{runner}": {reason}'
        return
    try:
        goyaml.check_depth(check.spec.job)
    except yaml.MarkedYAMLError as error:
        yield (
            "healthcheck job manifest is invalid: failed to convert healthcheck job manifest to JSON: "
            f"{_go_yaml(error)}"
        )
        return
    interval = check.spec.interval.ToTimedelta()
    if timedelta(0) < interval < SHORTEST_HEALTH_CHECK:
        yield "healthcheck interval must be at least 5s"


def _go_yaml(error: yaml.MarkedYAMLError) -> str:
    line = error.problem_mark.line if error.problem_mark else 0
    return f"yaml: line {line}: {error.problem}"


def _subdomain_faults(name: str) -> Iterator[str]:
    """Why Kubernetes does not accept a name (`IsDNS1123Subdomain`)."""
    if len(name.encode()) > LONGEST_SUBDOMAIN:
        yield f"must be no more than {LONGEST_SUBDOMAIN} characters"
    if not re.fullmatch(SUBDOMAIN, name):
        yield (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{SUBDOMAIN}')"
        )
