"""A cluster of somebody else, exported in each form, is taken over by a new stack without a change of any input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.model.cluster import ClusterSpec
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.model.reasons import model_in
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_CLASS, MACHINE_LABELS, Resource
from ksail_pulumi.plan.ownership import OwnershipMark
from tests.sweeps import sample

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

pytestmark = pytest.mark.usefixtures("published")

SYSCTL = {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}
METADATA = {"labels": {"part": "one"}, "annotations": {"note": "kept"}}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "check"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}}},
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
ROLLING = {"type": "Rolling", "rolling": {"maxParallelism": 2}}
ADDONS = {
    "cni": {"name": "cilium", "version": "1.20.2"},
    "metricsServer": True,
    "certManager": {"version": "1.17.0"},
    "policyEngine": "gatekeeper",
    "gitOpsEngine": "argocd",
    "csi": "local-path",
}


def patches(name: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "inline": SYSCTL, "description": "why", **METADATA},
        {"idOverride": f"250-{name}", "name": f"{name}-2", "inline": "# kept\nmachine: {}\n"},
    ]


def own(name: str) -> dict[str, Any]:
    """What clusters, sets and machines all have."""
    return {
        "patches": patches(name),
        "systemExtensions": ["siderolabs/gvisor"],
        "kernelArgs": [f"console={name}"],
        **METADATA,
    }


def whole(name: str, machines: list[str]) -> dict[str, Any]:
    """A cluster with all that Omni holds of an input."""
    one, two = machines[:2]
    return {
        "name": name,
        "controlPlane": {"machines": [one], "upgradeStrategy": ROLLING, **own("tty0")},
        "workers": [
            {
                "machines": [two],
                **dict.fromkeys(("updateStrategy", "deleteStrategy", "upgradeStrategy"), ROLLING),
                **own("tty1"),
            },
            {"name": "pool", "machineClass": {"name": name, "size": 1}},
        ],
        "machines": {
            one: {"install": {"disk": "/dev/vda"}, **own("ttyS0")},
            two: {"locked": True},
        },
        **{field: value for field, value in own("all").items() if field != "kernelArgs"},  # Omni: not with a class
        "features": {
            "diskEncryption": True,
            "enableWorkloadProxy": True,
            "useEmbeddedDiscoveryService": True,
            "enableNodeAuditSkip": True,
        },
        "backup": {"interval": "2h"},
        "manifests": [{"name": "base", "mode": "one-time", "inline": [NAMESPACE], **METADATA}],
        "healthChecks": [{"name": "dns", "job": JOB, "interval": "30s", **METADATA}, {"idOverride": "own", "job": JOB}],
        "addons": ADDONS,
    }


def of_ksail(name: str, machines: list[str]) -> dict[str, Any]:
    """A cluster with all that a ksail.yaml can express."""
    one, two = machines[:2]
    named = [{"name": "a", "inline": "# kept\nmachine: {}\n"}, {"name": "b", "inline": SYSCTL}]
    return {
        "name": name,
        "talosVersion": "1.13.7",
        "kubernetesVersion": "1.36.2",
        "controlPlane": {"machines": [one], "patches": named},
        "workers": [{"machines": [two], "patches": named}],
        "patches": named,
        "addons": {**ADDONS, "policyEngine": "kyverno", "gitOpsEngine": "flux"},
    }


ELSEWHERE = {
    *("count", "selector", "file"),  # Omni holds the machines and the texts
    "bootstrapSpec",  # a cluster that was made from a backup of another one
    "url",  # instead of a version
    "weight",  # the ID has it
    *("source", "revision", "path", "username", "password"),  # the password stays in Omni
    *("disablePublicDiscoveryService", "diskSelector"),  # not with this Talos, and not in this Omni
    *("endpoint", "serviceAccountKeyEnvVar", "kubeconfig", "talosconfig", "waitFor", "ownership"),  # no cluster's
    *("backupBefore", "onUpgradeFailure", "onUpdate", "onDelete"),
    "customResourceDefinitions",
}
"""Fields that no cluster in Omni has, or not together with the others."""


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if alias not in ELSEWHERE:
            yield alias
            if inner := model_in(info.annotation):
                yield from fields_of(inner)


def names_in(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield key
            yield from names_in(value)
    elif isinstance(data, list):
        for each in data:
            yield from names_in(each)


def test_the_exported_cluster_has_every_field() -> None:
    versions = {"talosVersion", "kubernetesVersion"}
    assert set(fields_of(ClusterSpec)) - versions <= set(names_in(whole("c", ["one", "two"])))


PROGRAMS = {
    "template": ("cluster.yaml", 'from_template("cluster.yaml", opts=pulumi.ResourceOptions(import_={name!r}))'),
    "ksail": ("ksail.yaml", 'from_ksail("ksail.yaml", opts=pulumi.ResourceOptions(import_={name!r}))'),
    "python": ("__main__.py", ""),
}


def found(client: Client, name: str) -> dict[tuple[str, str], Any]:
    """What Omni has of a cluster and of its machines, without whose it is."""
    return {each.key: (each.spec, each.labels) for each in take_snapshot(client, name).resources}


@pytest.mark.parametrize("form", sample(PROGRAMS))
def test_an_exported_cluster_is_taken_over_without_a_change(
    form: str,
    project: Project,
    omni: Client,
    omni_environment: dict[str, str],
    cluster_name: str,
    free_machines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made: Callable[[str, list[str]], dict[str, Any]] = of_ksail if form == "ksail" else whole
    # The class has a machine of its own, and takes none of those that are named.
    omni.state.modify(MACHINE_LABELS, free_machines[2], lambda each: replace(each, labels={"pool": cluster_name}))
    match = specs_pb2.MachineClassSpec(match_labels=[f"pool = {cluster_name}"])
    omni.state.create(Resource(MACHINE_CLASS, cluster_name, match))
    inputs = made(cluster_name, free_machines)
    create(parse_cluster(inputs), OwnershipMark("somebody/else"), Session(omni, Deadline.after(600)))
    for variable, value in omni_environment.items():
        monkeypatch.setenv(variable, value)
    file, program = PROGRAMS[form]
    target = project.folder / file
    assert main(["export", cluster_name, "--as", form, "--file", str(target), "--force"]) == 0
    assert [line for line in capfd.readouterr().err.splitlines() if "left out" in line] == (
        []
        if form != "ksail"
        else [f"ksail-pulumi: addons.{each}.version is left out: ksail.yaml has no field for it" for each in ADDONS]
    )
    if program:
        lines = (
            "import pulumi",
            "from ksail_pulumi import OmniCluster",
            f"OmniCluster.{program.format(name=cluster_name)}",
        )
        project.program("\n".join(lines))

    before = found(omni, cluster_name)
    project.init()
    preview = project.preview()
    assert " will " not in preview.output
    run = project.up()
    assert set(run.changes) == {"created"}, run.output
    assert found(omni, cluster_name) == before
    assert OwnershipMark.owner_of(omni.state.get(CLUSTER, cluster_name)) == f"organization/test/dev/{cluster_name}"
    assert project.resources()[cluster_name]["id"] == cluster_name
    assert set(project.preview("--expect-no-changes").changes) == {"unchanged"}


@pytest.mark.sweep
def test_what_import_writes_takes_the_cluster_over_and_then_has_nothing_to_do(
    project: Project,
    omni: Client,
    omni_environment: dict[str, str],
    cluster_name: str,
    free_machines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = {"name": cluster_name, "controlPlane": {"machines": free_machines[:1]}, "labels": {"team": "shop"}}
    create(parse_cluster(inputs), OwnershipMark("somebody/else"), Session(omni, Deadline.after(600)))
    for variable, value in omni_environment.items():
        monkeypatch.setenv(variable, value)
    assert main(["import", cluster_name, "--output", str(project.folder), "--force"]) == 0
    # The test's project has another virtual environment than the one that runs this.
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(f"{settings.read_text()}  options: {{virtualenv: .venv}}\n")

    before = omni.state.get(CLUSTER, cluster_name)
    project.init()
    project.up()
    after = omni.state.get(CLUSTER, cluster_name)
    assert (after.spec, after.labels) == (before.spec, before.labels)
    assert OwnershipMark.owner_of(after) == f"organization/{cluster_name}/dev/{cluster_name}"
    assert project.preview("--expect-no-changes").changes == {"unchanged": 5}
