"""States of earlier and later releases, and clusters that a state has let go of."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import server
from tests.sweeps import sample

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

pytestmark = pytest.mark.usefixtures("published")

# What releases have written, with `(of the run)` in place of what differs in every run.
SCHEMA_1 = Path(__file__).parent / "schema-1.json"
SCHEMA_2 = Path(__file__).parent / "schema-2.json"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
PATCH = {"name": "sysctls", "inline": {"machine": {"sysctls": {"fs.file-max": "100000"}}}}


# Every kind of input that does not name a machine and that the former releases had.
INPUTS: dict[str, Any] = {
    "workers": [
        {
            "name": "gpu",
            "count": 1,
            "selector": "omni.sidero.dev/arch=amd64",
            "updateStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 1}},
            "labels": {"pool": "gpu"},
        }
    ],
    "controlPlane": {"count": 1, "kernelArgs": ["console=ttyS0"], "patches": [PATCH]},
    "patches": [{"name": "text", "inline": "machine:\n  sysctls:\n    vm.swappiness: 1\n", "description": "why"}],
    "systemExtensions": ["siderolabs/util-linux-tools"],
    "features": {"enableWorkloadProxy": True, "useEmbeddedDiscoveryService": False},
    "backup": {"interval": "1h"},
    "manifests": [{"name": "ns", "mode": "one-time", "inline": NAMESPACE}],
    "components": {"cni": "cilium", "metricsServer": {"version": "0.8.1"}, "certManager": True},
    "labels": {"team": "platform"},
    "annotations": {"note": "of the platform team"},
    "kubeconfig": {"user": "ci", "groups": ["system:masters"], "ttl": "48h"},
    "waitFor": "running",
    "onDelete": {"disconnectedMachines": "wait"},
}


def as_stored(release: Path, state: dict[str, Any], *, uuid: bool = True) -> dict[str, Any]:
    """A state as a former release would have written it of the clusters that are in it."""
    stored = json.loads(release.read_text())
    of_today = {item["urn"]: item for item in state["deployment"]["resources"]}
    # The credentials stood with the cluster.
    credentials = {key: value for item in of_today.values() for key, value in item.get("outputs", {}).items()}
    for item in stored["deployment"]["resources"]:
        outputs, today = item.get("outputs", {}), of_today[item["urn"]]
        for key, value in outputs.items():
            if value == "(of the run)":
                outputs[key] = today["outputs"].get(key, credentials[key])
        if "clusterUuid" in outputs and not uuid:
            del outputs["clusterUuid"]
        for key in ("id", "provider"):
            if key in item:
                item[key] = today[key]
    stored["deployment"]["secrets_providers"] = state["deployment"]["secrets_providers"]
    return stored


@pytest.mark.sweep
@pytest.mark.parametrize("upgrade", sample(["up", "refresh", "up without UUID"]))
def test_a_state_of_schema_1_is_upgraded_in_place(project: Project, omni: Client, upgrade: str) -> None:
    verb, _, less = upgrade.partition(" ")
    project.init()
    project.clusters({"main": {"workers": 1, "patches": [PATCH]}})
    project.up()
    before, owners = server.uuids(omni), server.owners(omni, "main")
    project.import_(as_stored(SCHEMA_1, project.export("dev", "--show-secrets"), uuid=not less))
    assert project.resources()["main"]["outputs"]["schema"] == 1
    if verb == "up":
        assert project.up().changes == {"created": 3, "updated": 1, "unchanged": 1}
    else:
        assert project.refresh().changes == {"unchanged": 2}
    outputs = project.resources()["main"]["outputs"]
    assert (outputs["schema"], outputs["__package"]) == (3, metadata.version("ksail-pulumi"))
    assert server.uuids(omni) == before == project.uuids()
    assert server.owners(omni, "main") == owners
    project.up()
    assert project.up().changes == {"unchanged": 5}


def test_a_state_of_schema_2_is_read_without_a_difference(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": INPUTS})
    project.up()
    before = server.uuids(omni)
    project.import_(as_stored(SCHEMA_2, project.export("dev", "--show-secrets")))
    preview = project.preview()
    assert preview.changes == {"create": 3, "unchanged": 2}, preview.output
    assert project.refresh().changes == {"unchanged": 2}
    kept = project.export("dev", "--show-secrets")["deployment"]["resources"]
    (before_it,) = (item["outputs"]["kubeconfig"]["plaintext"] for item in kept if item["urn"] == project.urn("main"))
    assert project.up().changes == {"created": 3, "unchanged": 2}
    assert project.outputs(show_secrets=True)["mainKubeconfig"] == json.loads(before_it), "the child takes it over"
    assert server.uuids(omni) == before == project.uuids()
    assert project.up().changes == {"unchanged": 5}


@pytest.mark.sweep
def test_a_state_of_a_newer_release_is_refused_by_every_verb(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"main": {}})
    project.up()
    before = server.uuids(omni)
    state = project.export()
    for item in state["deployment"]["resources"]:
        if item["urn"] == project.urn("main"):
            item["outputs"] |= {"schema": 4, "__package": "99.1.2"}
    project.import_(state)
    ours = metadata.version("ksail-pulumi")
    words = f"was written by ksail-pulumi 99.1.2, and ksail-pulumi {ours} cannot read it"
    for verb in (project.preview, project.up, project.refresh, project.destroy):
        assert words in verb(fails=True).told["main"]
    assert server.uuids(omni) == before == project.uuids()
    assert server.runs(omni, "main")


@pytest.mark.sweep
def test_a_cluster_that_a_state_has_let_go_of_stays_and_comes_back_by_import(project: Project, omni: Client) -> None:
    project.init()
    project.clusters({"kept": {"options": {"retain_on_delete": True}}, "dropped": {}})
    project.up()
    before = server.uuids(omni)
    project.run("state", "delete", project.urn("dropped"), "--target-dependents", "--yes")
    project.clusters({})
    project.up()
    assert server.uuids(omni) == before
    assert project.resources() == {}

    project.clusters({"kept": {}, "dropped": {}})
    refused = project.up("--continue-on-error", fails=True)
    for name in before:
        assert f"cluster '{name}' already exists in Omni (since " in refused.told[name]
        assert f"import the cluster: opts=pulumi.ResourceOptions(import_='{name}')" in refused.told[name]
    assert server.uuids(omni) == before

    project.clusters({name: {"options": {"import_": name}} for name in before})
    preview = project.preview()
    for name in before:
        assert "If it is not shown as a replacement, the cluster is taken over as it is" in preview.told[name]
    project.up()
    assert server.uuids(omni) == before
    server.is_as_stored(project, omni)
    project.clusters({"kept": {}, "dropped": {}})
    assert project.up().changes == {"unchanged": 9}
