"""The rules for a cluster that need no call to Omni. Texts that omnictl has too are the same."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ksail_pulumi.model.addons import addon_rules
from ksail_pulumi.model.base import omni_problems
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.machine_ids import is_uuid
from ksail_pulumi.model.patches import CLUSTER_WEIGHT, MACHINE_WEIGHT, SET_WEIGHT, patch_id, patch_problems
from ksail_pulumi.model.selectors import OMNI_PREFIX, parse_selector
from ksail_pulumi.model.workloads import workload_rules
from ksail_pulumi.problems import CONTROL_CHARACTERS, Problem, field_path, has_control_characters
from ksail_pulumi.redaction import looks_like, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ksail_pulumi.model.cluster import ClusterSpec, Install, Machine, MachineSet, Patch
    from ksail_pulumi.problems import FieldPath

_RESERVED = (OMNI_PREFIX, "ksail-pulumi/")  # Omni's own labels, and those of the owner mark
_LONGEST_TTL_HOURS = 87600  # Omni's limit for the kubeconfig of a service account
_BOOTSTRAP = ("controlPlane", "bootstrapSpec")
_ENCRYPTION_SINCE = (1, 5)
MOST_METADATA = 256
"""The maximum number of labels of a resource, Omni's own included, and of annotations."""
LONGEST_KEY = 1024
"""The maximum length of an ID and of a key of a label or annotation, in bytes."""
_LONGEST_METADATA_VALUE = 16 * 1024  # bytes
_MOST_EXTENSIONS = 256
_MOST_KERNEL_ARGS = 64
_LONGEST_KERNEL_ARG = 256  # bytes


def validate(spec: ClusterSpec) -> list[Problem]:
    """Validate a cluster beyond its single fields, with one problem per field."""
    problems: dict[FieldPath, Problem] = {}
    for problem in _rules(spec):
        problems.setdefault(problem.path, problem)
    return list(problems.values())


def _rules(spec: ClusterSpec) -> Iterator[Problem]:
    yield from _name(spec)
    yield from omni_problems(spec.endpoint, spec.service_account_key_env_var)
    yield from _described((), spec)
    for index, machine_set in enumerate(spec.machine_sets):
        yield from _machine_set(spec.set_path(index), machine_set)
    yield from _control_plane(spec)
    yield from _worker_names(spec)
    yield from _machine_use(spec)
    yield from _kernel_args_with_classes(spec)
    for machine, described in spec.machines.items():
        path = ("machines", machine)
        if not is_uuid(machine):
            yield Problem(path, "invalid machine ID {id}: it should be a UUID", id=machine)
        yield from _described(path, described)
        yield from install_rules((*path, "install"), described.install)
    yield from workload_rules(spec)
    yield from addon_rules(spec.addons)
    for index, manifest in enumerate(spec.manifests or ()):
        yield from metadata_rules(("manifests", index), manifest.labels, manifest.annotations)
    for index, check in enumerate(spec.health_checks or ()):
        yield from metadata_rules(("healthChecks", index), check.labels, check.annotations)
    yield from _patch_ids(spec)
    yield from _kubeconfig(spec)
    if spec.features.disk_encryption and spec.talos_version and _minor(spec.talos_version) < _ENCRYPTION_SINCE:
        yield Problem(("features", "diskEncryption"), "disk encryption is supported only for Talos version >= 1.5.0")
    if spec.backup is not None and duration(spec.backup.interval).total_seconds() <= 0:
        yield Problem(("backup", "interval"), "should be longer than 0; omit backup to disable backups")
    if spec.on_upgrade_failure == "revert" and spec.wait_for == "none":
        reason = "with waitFor 'none' no upgrade is awaited, so none can be reverted: choose another waitFor"
        yield Problem(("onUpgradeFailure",), reason)


def _minor(version: str) -> tuple[int, int]:
    major, minor, _ = version.split(".", 2)
    return int(major), int(minor)


def _name(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.name:
        yield Problem(("name",), "name is required")
    elif not all(character.isalpha() or character.isdecimal() or character in "-_" for character in spec.name):
        yield Problem(("name",), "name should only contain letters, digits, dashes and underscores")
    elif (what := looks_like(spec.name)) is not None:
        yield Problem(("name",), f"should be the name of a cluster, but looks like {what}")


def _described(path: FieldPath, scope: ClusterSpec | MachineSet | Machine) -> Iterator[Problem]:
    """The rules for the fields that clusters, sets and machines share."""
    yield from metadata_rules(path, scope.labels, scope.annotations)
    yield from patch_rules((*path, "patches"), scope.patches)
    yield from _extensions((*path, "systemExtensions"), scope.system_extensions)
    yield from kernel_args_rules((*path, "kernelArgs"), scope.kernel_args)


def metadata_rules(
    path: FieldPath, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None = None
) -> Iterator[Problem]:
    """The rules for labels and annotations."""
    for kind, entries in (("label", labels), ("annotation", annotations)):
        if entries and len(entries) > MOST_METADATA:
            yield Problem((*path, f"{kind}s"), f"too many {kind}s: {len(entries)} (max {MOST_METADATA})")
        for key, value in (entries or {}).items():
            if reason := metadata_problem(kind, key, value):
                yield Problem((*path, f"{kind}s", key), reason)
            elif prefix := next((each for each in _RESERVED if key.startswith(each)), None):
                yield Problem(
                    (*path, f"{kind}s", key),
                    f'{kind} "{short(key)}" is invalid: prefix "{prefix}" is reserved for internal use',
                )


def metadata_problem(kind: str, key: str, value: str) -> str | None:
    """What Omni refuses in a label or annotation (`kind`), in its words."""
    if not key:
        return f"{kind} key must not be empty"
    if (size := len(key.encode())) > LONGEST_KEY:
        return f"{kind} key is too long: {size} bytes (max {LONGEST_KEY})"
    if (size := len(value.encode())) > _LONGEST_METADATA_VALUE:
        return f"{kind} value is too long: {size} bytes (max {_LONGEST_METADATA_VALUE})"
    if has_control_characters(key + value):
        return CONTROL_CHARACTERS
    return None


def patch_rules(path: FieldPath, patches: Sequence[Patch] | None) -> Iterator[Problem]:
    """The rules for a list of patches."""
    for index, patch in enumerate(patches or ()):
        field = (*path, index)
        yield from metadata_rules(field, patch.labels, patch.annotations)
        if patch.inline is None:
            yield Problem(field, "file or inline is required")
            continue
        if not patch.name and not patch.id_override:
            yield Problem(field, "either name or idOverride is required for inline patches")
        yield from patch_problems((*field, "inline"), patch.inline)


def _extensions(path: FieldPath, extensions: Sequence[str] | None) -> Iterator[Problem]:
    seen = set()
    for index, extension in enumerate(extensions or ()):
        full = extension if "/" in extension else f"siderolabs/{extension}"
        if full in seen:
            reason = f"extension {{extension}} (entry {index}) is listed more than once"
            yield Problem((*path, index), reason, extension=extension)
        seen.add(full)
    if extensions and len(extensions) > _MOST_EXTENSIONS:
        reason = f"extensions list has {len(extensions)} entries, exceeds maximum of {_MOST_EXTENSIONS}"
        yield Problem(path, reason)


def kernel_args_rules(path: FieldPath, args: Sequence[str] | None) -> Iterator[Problem]:
    """The rules for kernel arguments."""
    for index, arg in enumerate(args or ()):
        size = len(arg.encode())
        if size > _LONGEST_KERNEL_ARG:
            reason = f"args[{index}] is too long: {size} bytes (max {_LONGEST_KERNEL_ARG})"
            yield Problem((*path, index), reason)
        elif has_control_characters(arg):
            yield Problem((*path, index), f"args[{index}] contains a control character")
    if args and len(args) > _MOST_KERNEL_ARGS:
        yield Problem(path, f"args has too many entries: {len(args)} (max {_MOST_KERNEL_ARGS})")


def _machine_set(path: FieldPath, machine_set: MachineSet) -> Iterator[Problem]:
    if machine_set.machines is not None and machine_set.machine_class is not None:
        yield Problem(path, "machine set can not have both machines and machine class defined")
    elif machine_set.count is not None and machine_set.wanted is None:
        other = "machines" if machine_set.machines is not None else "machineClass"
        yield Problem((*path, "count"), f"count and {other} are mutually exclusive: keep one of them")
    if machine_set.selector is not None and machine_set.wanted is None:
        yield Problem((*path, "selector"), "selector can only be used with count")
    elif machine_set.selector is not None:
        try:
            parse_selector(machine_set.selector)
        except ValueError as error:
            yield Problem((*path, "selector"), f"is not a valid label selector: {error}")
    if machine_set.machine_class is not None and not machine_set.machine_class.name:
        yield Problem((*path, "machineClass", "name"), "cannot be empty: it is the name of a machine class in Omni")
    for index, machine in enumerate(machine_set.machines or ()):
        if not is_uuid(machine):
            reason = "invalid machine ID {id}: it should be a UUID"
            yield Problem((*path, "machines", index), reason, id=machine)
    yield from _described(path, machine_set)


def _control_plane(spec: ClusterSpec) -> Iterator[Problem]:
    control_plane = spec.control_plane
    if control_plane.count == 0:
        yield Problem(("controlPlane", "count"), "control plane machine set must have at least one node")
    if control_plane.machines == ():
        yield Problem(("controlPlane", "machines"), "control plane machine set must have at least one node")
    if control_plane.machine_class is not None and control_plane.machine_class.size == 0:
        yield Problem(("controlPlane", "machineClass", "size"), "control plane machine set must have at least one node")
    if (bootstrap := control_plane.bootstrap_spec) is not None:
        if not bootstrap.cluster_uuid:
            yield Problem((*_BOOTSTRAP, "clusterUUID"), "clusterUUID is required in bootstrapSpec")
        if not bootstrap.snapshot:
            yield Problem((*_BOOTSTRAP, "snapshot"), "snapshot is required in bootstrapSpec")
    for machine in control_plane.machines or ():
        if machine in spec.machines and spec.machines[machine].locked:
            path = ("machines", machine, "locked")
            yield Problem(path, "machine {id} is locked and used in controlplane", id=machine)


def _worker_names(spec: ClusterSpec) -> Iterator[Problem]:
    seen = set()
    for index, workers in enumerate(spec.workers):
        path, name = ("workers", index, "name"), workers.set_name
        if name == "control-planes":
            yield Problem(path, 'name "control-planes" cannot be used in workers')
        elif not name:
            yield Problem(path, "cannot be empty; omit it for the default set")
        elif name in seen:
            yield Problem(path, "duplicate workers with name {name}", name=name)
        seen.add(name)


def _machine_use(spec: ClusterSpec) -> Iterator[Problem]:
    """A machine is in one set, once; each machine in `machines` is in a set."""
    uses: dict[str, FieldPath] = {}
    for index, machine_set in enumerate(spec.machine_sets):
        repeated = {machine for machine, times in Counter(machine_set.machines or ()).items() if times > 1}
        for position, machine in enumerate(machine_set.machines or ()):
            path = (*spec.set_path(index), "machines", position)
            first = uses.setdefault(machine, path)
            if first == path:
                continue
            if machine in repeated and first[:-2] == spec.set_path(index):
                yield Problem(path, "machine {id} is listed twice", id=machine)
            elif first[0] == "controlPlane":
                yield Problem(path, "machine {id} is used in both controlplane and workers", id=machine)
            else:
                reason = f"machine {{id}} is used in multiple workers: it is in {field_path(first)} already"
                yield Problem(path, reason, id=machine)
    if all(machine_set.machines is not None for machine_set in spec.machine_sets):
        for machine in spec.machines:
            if machine not in uses:
                yield Problem(("machines", machine), "machine {id} is not used in controlplane or workers", id=machine)


def _kernel_args_with_classes(spec: ClusterSpec) -> Iterator[Problem]:
    """Kernel arguments are set per machine, and the machines of a class are not known in advance."""
    for index, machine_set in enumerate(spec.machine_sets):
        if machine_set.machine_class is None:
            continue
        if machine_set.kernel_args is not None:
            reason = "kernelArgs cannot be defined for machine set since it uses machine class"
            yield Problem((*spec.set_path(index), "kernelArgs"), reason)
        elif spec.kernel_args is not None:
            reason = "kernelArgs cannot be defined at cluster level for this machine set since it uses a machine class"
            yield Problem(("kernelArgs",), f"{reason}: {machine_set.id(spec.name)}")


def install_rules(path: FieldPath, install: Install | None) -> Iterator[Problem]:
    """The rules for an install disk; its field is the end of the path."""
    if install is None:
        return
    field = path[-1]
    if install.disk and install.disk_selector:
        yield Problem(path, f"{field}.disk and {field}.diskSelector are mutually exclusive: keep one of them")
    elif not install.disk and not install.disk_selector:
        yield Problem(path, "either disk or diskSelector must be set")
    elif install.disk_selector and (reason := _not_balanced(install.disk_selector)):
        reason = f"{field}.diskSelector is not a valid boolean disk expression: {reason}"
        yield Problem((*path, "diskSelector"), reason)


def _not_balanced(expression: str) -> str | None:
    """Why a CEL expression is not valid; only brackets and quotes are checked, Omni checks the rest."""
    closing = {"(": ")", "[": "]", "{": "}"}
    expected: list[str] = []
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', "", expression)
    for character in bare:
        if character in closing:
            expected.append(closing[character])
        elif character in ")]}" and (not expected or expected.pop() != character):
            return f"{character!r} is unexpected"
        elif character in "\"'":
            return "unterminated string"
    return f"missing {expected[-1]!r}" if expected else None


def _patch_ids(spec: ClusterSpec) -> Iterator[Problem]:
    weights = [(CLUSTER_WEIGHT, f"cluster-{spec.name}")]
    weights += [(SET_WEIGHT, each.id(spec.name)) for each in spec.machine_sets]
    weights += [(MACHINE_WEIGHT, f"cm-{machine}") for machine in spec.machines]
    lists = zip(spec.scopes(), weights, strict=True)
    yield from same_patch_ids(
        ((*path, "patches", index), patch, patch_id(patch, index, weight, scope))
        for (path, described), (weight, scope) in lists
        for index, patch in enumerate(described.patches or ())
    )


def same_patch_ids(patches: Iterable[tuple[FieldPath, Patch, str]]) -> Iterator[Problem]:
    """Refuse patches with the same ID, which would be the same resource. Each one comes with its path and its ID."""
    seen: dict[str, FieldPath] = {}
    for path, patch, resource in patches:
        if (other := seen.setdefault(resource, path)) != path:
            at = "idOverride" if patch.id_override else "name"
            yield Problem((*path, at), f"resource ID duplicate: {field_path(other)} has the same ID")


def _kubeconfig(spec: ClusterSpec) -> Iterator[Problem]:
    ttl = duration(spec.kubeconfig.ttl)
    if ttl.total_seconds() <= 0:
        yield Problem(("kubeconfig", "ttl"), "should be longer than 0")
    elif ttl.total_seconds() > _LONGEST_TTL_HOURS * 3600:
        yield Problem(("kubeconfig", "ttl"), f"is too long (max allowed: {_LONGEST_TTL_HOURS}h0m0s)")
    elif spec.kubeconfig.renewal >= ttl:
        yield Problem(
            ("kubeconfig", "renewBefore"), "should be shorter than ttl, which is {ttl}", ttl=spec.kubeconfig.ttl
        )
    elif spec.kubeconfig.renewal.total_seconds() < 0:
        yield Problem(("kubeconfig", "renewBefore"), "should be 0 or longer")
    if spec.kubeconfig.form == "exec" and spec.kubeconfig.renew_before is not None:
        yield Problem(("kubeconfig", "renewBefore"), "has no effect with form 'exec', which never expires: remove it")
    for field in ("user", "context", "file"):
        value = getattr(spec.kubeconfig, field)
        if value == "":
            yield Problem(("kubeconfig", field), "cannot be empty")
        elif value is not None and has_control_characters(value):
            yield Problem(("kubeconfig", field), CONTROL_CHARACTERS)
