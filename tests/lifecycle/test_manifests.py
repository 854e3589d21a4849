"""Manifests: when `up` returns, they are in Kubernetes, or a message says which object is not and why."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.errors import CancelledError, ClusterFailedError, WaitTimeoutError
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.lifecycle.session import Deadline
from ksail_pulumi.model.gate import private_values
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import KUBERNETES_MANIFEST_GROUP
from ksail_pulumi.redaction import Gate, behind
from ksail_pulumi.simulator.kubernetes_objects import TALOS, Key
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

CONFIG = Key("", "ConfigMap", "default", "one")


def config(name: str = "one", namespace: str = "default", **data: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def manifest(*objects: dict[str, Any], name: str = "mine", mode: str = "full") -> dict[str, Any]:
    return {"name": name, "inline": list(objects), "mode": mode}


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "bad", "namespace": "default"},
    "spec": {"ports": [{"port": 99999}]},
}


def deployment(**selector: str) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"selector": selector}}


def data(simulator: Simulator, lab: Lab, key: Key = CONFIG) -> Any:
    found = simulator.kubernetes(lab.name).get(key)
    return None if found is None else found["data"]


@pytest.fixture
def lab(omni: Client, cluster_name: str, simulator: Simulator) -> Lab:
    return Lab(omni, cluster_name)


def test_manifests_are_there_when_the_operation_returns(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"), config("two"))])
    assert (data(simulator, lab), first.ready) == ({"k": "v1"}, True)

    lab.told.clear()
    warned: list[str] = []
    session = replace(lab.session(), warn=warned.append)
    second = lab.update(first, session=session, manifests=[manifest(config(k="v2"))])
    assert data(simulator, lab) == {"k": "v2"}
    assert simulator.kubernetes(lab.name).get(replace(CONFIG, name="two")) is None
    assert "looking at manifest mine" in lab.told
    assert warned == []

    lab.told.clear()  # what leaves them alone does not wait for them
    lab.update(second, manifests=[manifest(config(k="v2"))], features={"enableWorkloadProxy": True})
    assert not any("manifest" in line for line in lab.told)


def test_the_object_that_fails_is_named_at_once_and_ends_the_wait(lab: Lab, simulator: Simulator) -> None:
    named: list[float] = []

    def hear(line: str) -> None:
        if "Service/default/bad" in line:
            named.append(time.monotonic())

    lab.on_progress = hear
    inputs = {"manifests": [manifest(config(), SERVICE), manifest(config("b"), name="b")]}
    with pytest.raises(ClusterFailedError) as raised, behind(Gate(private=lambda: private_values(inputs))):
        lab.create(session=lab.session(grace=8), **inputs)
    text = str(raised.value)
    assert text.startswith(f"cluster {lab.name} failed: Omni cannot apply Service/default/bad of manifest mine: ")
    assert "99999" not in text
    assert named
    assert time.monotonic() - named[0] > 3  # long before the end
    outputs = raised.value.outputs
    assert outputs is not None
    assert not outputs.ready

    lab.on_progress = None
    fixed = lab.update(outputs, manifests=[manifest(config(k="v")), manifest(config("b"), name="b")])
    assert (fixed.ready, data(simulator, lab)) == (True, {"k": "v"})


@pytest.mark.sweep
def test_a_change_that_kubernetes_refuses_is_named_although_the_status_says_applied(lab: Lab) -> None:
    first = lab.create(manifests=[manifest(deployment(app="one"))])
    with pytest.raises(ClusterFailedError, match="Omni cannot apply Deployment/default/web of manifest mine: "):
        lab.update(first, session=lab.session(grace=4), manifests=[manifest(deployment(app="two"))])


def test_what_omni_does_not_name_is_found_in_kubernetes(lab: Lab) -> None:
    def hear(line: str) -> None:
        if "there is no namespace nowhere" in line:
            lab.cancelled.set()

    lab.on_progress = hear
    with pytest.raises(CancelledError):
        lab.create(manifests=[manifest(config(namespace="nowhere"))])
    assert any("ConfigMap/nowhere/one of manifest mine: there is no namespace nowhere" in line for line in lab.told)


def test_a_kind_that_is_not_there_is_named(lab: Lab) -> None:
    gizmo = {"apiVersion": "example.org/v1", "kind": "Gizmo", "metadata": {"name": "x", "namespace": "default"}}
    with pytest.raises(ClusterFailedError, match=r"Kubernetes has no kind Gizmo in example.org/v1"):
        lab.create(session=lab.session(grace=1), manifests=[manifest(gizmo)])


def test_without_the_kubernetes_api_a_change_is_not_proved_and_that_is_said(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"))])
    simulator.faults.no_kubernetes_proxy = True
    warned: list[str] = []
    session = replace(lab.session(), warn=warned.append, sync_round=2.0)
    assert lab.update(first, session=session, manifests=[manifest(config(k="v2"))]).ready
    (warning,) = warned
    assert warning.startswith(
        "it is not proved that these changes of manifests are in Kubernetes: ConfigMap/default/one of manifest mine. "
        "Omni has reported no error for 2s, but the Kubernetes API at "
    )
    assert warning.endswith("cannot be reached: HTTP status 502")


def test_an_object_that_somebody_else_keeps_changing_is_not_proved(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"), mode="one-time")])
    warned: list[str] = []
    session = replace(lab.session(), warn=warned.append, sync_round=1.0)
    lab.update(first, session=session, manifests=[manifest(config(k="v2"), mode="one-time")])
    assert warned[0].endswith("the objects in Kubernetes are not as they are written")


def test_the_wait_for_manifests_ends_with_the_deadline(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"), mode="one-time")])
    once = [manifest(config(k="v2"), mode="one-time")]
    lab.on_progress = lambda line: lab.cancelled.set() if line == "looking at manifest mine" else None
    with pytest.raises(
        CancelledError, match=f"waiting for the manifests of cluster {lab.name} was interrupted"
    ) as ended:
        lab.update(first, manifests=once)
    assert ended.value.outputs is not None
    assert not ended.value.outputs.ready
    lab.on_progress = None
    lab.cancelled.clear()
    session = replace(lab.session(), deadline=Deadline.after(6), sync_round=60.0)
    with pytest.raises(WaitTimeoutError, match="has manifests that are not applied after 6s: ConfigMap/default/one of"):
        lab.update(ended.value.outputs, session=session, manifests=once)


def test_the_mode_changes_in_place(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"), mode="one-time")])
    second = lab.update(first, manifests=[manifest(config(k="v2"))])
    assert data(simulator, lab) == {"k": "v2"}
    assert "taking over 1 objects that another inventory has" in lab.told

    once = [manifest(config(k="v3"), mode="one-time")]
    found = preview(lab.spec(manifests=once), lab.spec(manifests=[manifest(config(k="v2"))]), lab.mark, lab.client)
    assert found.forecasts == (
        f"changes manifest 200-cluster-{lab.name}-mine: Omni deletes its objects, and creates them again after half a "
        "minute",
    )
    lab.update(second, manifests=once)
    assert data(simulator, lab) == {"k": "v3"}


@pytest.mark.sweep
def test_a_weight_gives_a_manifest_its_place_and_its_objects_stay(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[{**manifest(config(k="v")), "weight": 400}])
    assert list(lab.of(KUBERNETES_MANIFEST_GROUP)) == [f"400-cluster-{lab.name}-mine"]
    gone: list[Key] = []
    kubernetes = simulator.kubernetes(lab.name)
    kubernetes.delete = gone.append  # type: ignore[method-assign]
    moved = [{**manifest(config(k="v")), "weight": 150}]
    second = lab.update(first, manifests=moved)
    assert list(lab.of(KUBERNETES_MANIFEST_GROUP)) == [f"150-cluster-{lab.name}-mine"]
    read = lab.read(second)
    assert read is not None
    assert read.inputs["manifests"] == moved
    time.sleep(1)
    assert gone == []


def test_an_object_of_another_inventory_is_named(lab: Lab, simulator: Simulator) -> None:
    """It may be one that Talos has created for a patch of the program, so nobody takes it over."""

    def write(line: str) -> None:
        mark = {"annotations": {"config.k8s.io/owning-inventory": TALOS}}
        item = config(k="v")
        simulator.kubernetes(lab.name).write({**item, "metadata": {**item["metadata"], **mark}})

    lab.on_progress = write
    with pytest.raises(ClusterFailedError) as raised:
        lab.create(session=lab.session(grace=1), manifests=[manifest(config(k="new"))])
    assert (
        f"(ConfigMap/default/one of manifest mine belongs to the inventory {TALOS}: delete the object, or remove it "
        "from the manifest)"
    ) in str(raised.value)


def test_a_removed_key_counts_when_it_is_gone(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v", old="v"))])
    lab.update(first, manifests=[manifest(config(k="v"))])
    assert data(simulator, lab) == {"k": "v"}


def test_an_object_of_two_manifests_is_proved_where_omni_does_not_show_it(lab: Lab, simulator: Simulator) -> None:
    warned: list[str] = []
    session = replace(lab.session(), warn=warned.append, sync_round=2.0)
    both = [manifest(config(k="a"), name="a"), manifest(config(k="b"), name="b")]
    assert lab.create(session=session, manifests=both).ready
    (warning,) = warned
    other = {"a": "b", "b": "a"}[data(simulator, lab)["k"]]
    assert f"are in Kubernetes: ConfigMap/default/one of manifest {other}. Omni" in warning


def test_objects_are_taken_over_once_the_kubernetes_api_answers(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"), mode="one-time")])
    simulator.faults.no_kubernetes_proxy = True
    back = threading.Timer(2, lambda: setattr(simulator.faults, "no_kubernetes_proxy", False))

    def hear(line: str) -> None:
        if "Omni cannot apply" in line and not back.is_alive():
            back.start()
            lab.on_progress = None

    lab.on_progress = hear
    assert lab.update(first, session=lab.session(grace=30), manifests=[manifest(config(k="v2"))]).ready
    back.join()
    assert data(simulator, lab) == {"k": "v2"}
    assert lab.told.count("taking over 1 objects that another inventory has") == 1


def test_what_talos_itself_creates_stays_its_own(lab: Lab, simulator: Simulator) -> None:
    dns = config("coredns", "kube-system", k="v")
    mark = {"annotations": {"config.k8s.io/owning-inventory": TALOS}}

    def write(line: str) -> None:
        simulator.kubernetes(lab.name).write({**dns, "metadata": {**dns["metadata"], **mark}})
        lab.on_progress = None

    lab.on_progress = write
    with pytest.raises(ClusterFailedError) as raised:
        lab.create(session=lab.session(grace=4), addons={"certManager": {"inline": [{**dns, "data": {"k": "new"}}]}})
    assert f"ConfigMap/kube-system/coredns of cert-manager belongs to the inventory {TALOS}: " in str(raised.value)
    assert data(simulator, lab, Key("", "ConfigMap", "kube-system", "coredns")) == {"k": "v"}


def test_an_outage_of_omni_does_not_end_the_proof(lab: Lab, simulator: Simulator) -> None:
    first = lab.create(manifests=[manifest(config(k="v1"))])

    def hear(line: str) -> None:
        if line == "looking at manifest mine":
            simulator.faults.unavailable = 10_000
        elif line.startswith("no connection to Omni: "):
            simulator.faults.unavailable = 0

    lab.on_progress = hear
    warned: list[str] = []
    session = replace(lab.session(), warn=warned.append)
    assert lab.update(first, session=session, manifests=[manifest(config(k="v2"))]).ready
    assert any(line.startswith("no connection to Omni: ") for line in lab.told)
    assert (data(simulator, lab), warned) == ({"k": "v2"}, [])
