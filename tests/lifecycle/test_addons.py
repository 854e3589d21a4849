"""Add-ons, from the inputs to the patches in Omni and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.errors import CancelledError
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import CONFIG_PATCH, LABEL_SYSTEM_PATCH
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]


def patches(lab: Lab) -> dict[str, str]:
    """The text of the patches that users made, by their ID without what the cluster's name adds."""
    return {
        each.id.replace(f"cluster-{lab.name}-", ""): each.spec.data
        for each in lab.of(CONFIG_PATCH).values()
        if LABEL_SYSTEM_PATCH not in each.labels and not each.owner
    }


def written(simulator: Simulator, since: int) -> list[tuple[str, str, str]]:
    """What a user wrote; a resource that is torn down is destroyed by whoever comes first, him or Omni."""
    entries = [each for each in simulator.store.audit[since:] if each.verb != "destroy"]
    return [(each.verb, each.type.split(".")[0], each.id) for each in entries]


def test_a_cluster_gets_a_patch_for_each_component(lab: Lab, needs: Needs) -> None:
    needs(1)
    asked = {"cni": "cilium", "certManager": True, "gitOpsEngine": {"name": "flux", "version": "v2.9.0"}}
    outputs = lab.create(addons=asked, patches=[{"name": "mine", "inline": {"cluster": {"discovery": {}}}}])

    assert sorted(patches(lab)) == [
        "100-component-cert-manager",
        "100-component-cni",
        "100-component-gitops-engine",
        "200-mine",
    ]
    assert "/v2.9.0/install.yaml" in patches(lab)["100-component-gitops-engine"]
    read = lab.read(outputs)
    assert read is not None
    assert read.inputs == outputs.inputs


def test_a_change_writes_the_patch_of_that_component_and_no_other(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "audited")
    asked: dict[str, Any] = {"cni": "calico", "certManager": True, "policyEngine": "kyverno"}
    first = lab.create(addons=asked)
    mark = len(simulator.store.audit)

    second = lab.update(first, addons={**asked, "certManager": {"version": "1.20.2"}})
    assert written(simulator, mark) == [("update", "ConfigPatches", "100-cluster-audited-component-cert-manager")]

    mark = len(simulator.store.audit)
    third = lab.update(second, addons={"cni": "calico", "certManager": {"version": "1.20.2"}})
    assert written(simulator, mark) == [("teardown", "ConfigPatches", "100-cluster-audited-component-policy-engine")]

    mark = len(simulator.store.audit)
    lab.update(third, addons={**asked, "certManager": {"version": "1.20.2"}})
    assert written(simulator, mark) == [("create", "ConfigPatches", "100-cluster-audited-component-policy-engine")]


def test_changed_manifests_are_synced_once_the_cluster_is_ready(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "synced")
    first = lab.create(addons={"certManager": {"version": "1.20.0"}, "cni": {"name": "cilium", "version": "1.20.1"}})
    second = lab.update(
        first, addons={"certManager": {"version": "1.20.2"}, "cni": {"name": "cilium", "version": "1.20.1"}}
    )

    assert lab.told[-1] == "syncing the manifests of the add-ons"
    assert omni.management.start_sync_manifests("synced", timeout=10).result() == 0  # nothing is left to sync

    lab.told.clear()
    lab.update(second, addons={"certManager": {"version": "1.20.2"}, "cni": {"name": "cilium", "version": "1.20.2"}})
    assert "syncing the manifests of the add-ons" not in lab.told  # another Job does the work


def test_a_sync_that_fails_is_told_and_the_update_stands(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "unsynced")
    first = lab.create(addons={"certManager": {"version": "1.20.0"}})
    warnings: list[str] = []

    def cut_the_connection(line: str) -> None:
        if line.startswith("syncing"):
            simulator.faults.unavailable = 50

    lab.on_progress = cut_the_connection
    session = replace(lab.session(), warn=warnings.append)
    assert lab.update(first, session=session, addons={"certManager": {"version": "1.20.2"}}).ready
    (warning,) = warnings
    assert warning.endswith(
        "After you fix this, run `omnictl cluster kubernetes manifest-sync unsynced --dry-run=false`"
    )


def test_a_version_left_out_stays_what_the_cluster_has(lab: Lab, needs: Needs) -> None:
    needs(1)
    first = lab.create(addons={"certManager": {"version": "1.20.0"}})
    before = patches(lab)
    second = lab.update(first, addons={"certManager": True})

    assert patches(lab) == before
    read = lab.read(second)
    assert read is not None
    assert read.inputs["addons"] == {"certManager": True}


def test_a_refresh_shows_by_component_what_somebody_did(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "drifted")
    first = lab.create(addons={"certManager": True, "csi": "local-path", "cni": "flannel"})
    prefix = "100-cluster-drifted-component-"

    with omni.state.watch(Query(CONFIG_PATCH, id=f"{prefix}csi")) as watch:
        omni.state.teardown(CONFIG_PATCH, f"{prefix}csi")
        assert any(event.kind == "destroyed" for event in iter(watch.next, None))
    gone = lab.read(first)
    assert gone is not None
    assert gone.inputs["addons"] == {"certManager": True, "cni": "flannel"}

    def edited(resource: Any) -> Any:
        text = "cluster:\n    extraManifests:\n        - https://example.org/mine.yaml\n"
        return replace(resource, spec=specs_pb2.ConfigPatchSpec(data=text))

    omni.state.modify(CONFIG_PATCH, f"{prefix}cert-manager", edited)
    changed = lab.read(first)
    assert changed is not None
    assert changed.inputs["addons"] == {"cni": "flannel"}
    (patch,) = changed.inputs["patches"]
    assert patch["idOverride"] == f"{prefix}cert-manager"
    assert "annotations" not in patch

    again = lab.update(first, addons={"certManager": True, "csi": "local-path", "cni": "flannel"})
    restored = lab.read(again)
    assert restored is not None
    assert restored.inputs == first.inputs


def test_the_network_plugin_of_a_running_cluster_is_not_changed(lab: Lab, needs: Needs) -> None:
    needs(1)
    spec = lab.spec(addons={"cni": "cilium"})
    lab.create(addons={"cni": "cilium"})

    def failures(cni: Any) -> list[str]:
        found = preview(lab.spec(addons={"cni": cni} if cni else {}), spec, lab.mark, lab.client)
        return [str(each) for each in found.failures]

    (failure,) = failures("calico")
    assert failure.startswith("addons.cni: the network plugin of a running cluster cannot be changed")
    assert "(cilium -> calico)" in failure
    assert "(cilium -> flannel)" in failures(None)[0]
    assert "how cilium is installed" in failures({"name": "cilium", "url": "https://example.org/cilium.yaml"})[0]
    assert failures({"name": "cilium", "version": "1.19.5"}) == []


def test_an_interrupted_sync_saves_the_cluster(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "interrupted")
    first = lab.create(addons={"certManager": {"version": "1.20.0"}})

    def interrupt(line: str) -> None:
        if line.startswith("syncing"):
            simulator.faults.round_trip = 1.0
            lab.cancelled.set()

    lab.on_progress = interrupt
    with pytest.raises(CancelledError, match="manifest-sync interrupted") as raised:
        lab.update(first, addons={"certManager": {"version": "1.20.2"}})
    assert raised.value.outputs is not None
    assert raised.value.outputs.inputs["addons"] == {"certManager": {"version": "1.20.2"}}
