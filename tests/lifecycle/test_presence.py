"""A cluster that goes away while a verb waits for it ends the wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ksail_pulumi.errors import ClusterGoneError
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, Resource
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab


def vanish(lab: Lab) -> None:
    """Somebody else deletes the cluster, and it is gone."""
    delete(lab.name, Session(lab.client, Deadline.after(60)))


def be_replaced(lab: Lab) -> None:
    """Somebody else deletes the cluster and creates another one of its name."""
    versions = lab.client.state.get(CLUSTER, lab.name).spec
    vanish(lab)
    lab.client.state.create(Resource(CLUSTER, lab.name, specs_pb2.ClusterSpec.FromString(versions.SerializeToString())))


def begin_to_go(lab: Lab) -> None:
    """Somebody else has Omni delete the cluster."""
    lab.client.state.teardown(CLUSTER, lab.name)


def once(lab: Lab, happens: Callable[[Lab], None], when: str) -> Callable[[str], None]:
    """Let something happen when a line of progress comes."""
    happened = threading.Event()

    def hear(line: str) -> None:
        if when in line and not happened.is_set():
            happened.set()
            happens(lab)

    return hear


EVENTS: list[Any] = [
    (vanish, "was deleted by someone else|is being deleted by someone else"),
    (begin_to_go, "is being deleted by someone else"),
    (be_replaced, "is being deleted by someone else|another cluster has its name now"),
]


@pytest.mark.parametrize("when", ["adding 2 machines", "running"])
@pytest.mark.parametrize(("happens", "says"), EVENTS)
def test_create_ends_and_saves_nothing(
    lab: Lab, simulator: Simulator, happens: Callable[[Lab], None], says: str, when: str
) -> None:
    simulator.faults.never_join.add(1)
    lab.on_progress = once(lab, happens, when)
    with pytest.raises(ClusterGoneError, match=says) as raised:
        lab.create(workers=1)
    assert raised.value.outputs is None


@pytest.mark.parametrize(("happens", "says"), EVENTS)
def test_update_ends(lab: Lab, simulator: Simulator, happens: Callable[[Lab], None], says: str) -> None:
    outputs = lab.create()
    simulator.faults.never_join.add(1)
    lab.on_progress = once(lab, happens, "running")
    with pytest.raises(ClusterGoneError, match=says) as raised:
        lab.update(outputs, workers=1)
    assert raised.value.outputs is None


def test_an_update_that_waits_for_machines_to_leave_ends(lab: Lab, simulator: Simulator) -> None:
    outputs = lab.create(workers=[{"name": "a", "count": 1}])
    (machine,) = lab.machines("a")
    simulator.faults.unreachable.add(machine)  # it cannot leave its set, and has to before it joins another one
    lab.on_progress = once(lab, begin_to_go, "to be removed")
    with pytest.raises(ClusterGoneError, match="is being deleted by someone else"):
        lab.update(outputs, workers=[{"name": "b", "machines": [machine]}])


def test_delete_ends_when_another_cluster_has_the_name(lab: Lab) -> None:
    """What was to be deleted is deleted; the other cluster and its machines are not waited for."""
    lab.create()
    warned: list[str] = []
    spec = lab.client.state.get(CLUSTER, lab.name).spec
    gone = threading.Event()

    def recreate() -> None:
        with lab.client.state.watch(Query(CLUSTER, id=lab.name)) as watch:
            while (event := watch.next(timeout=60)) is not None and event.kind != "destroyed":
                pass
        lab.client.state.create(Resource(CLUSTER, lab.name, spec))
        gone.set()

    thread = threading.Thread(target=recreate)
    thread.start()
    delete(
        lab.name,
        Session(lab.client, Deadline.after(60), warn=warned.append),
        identity=lab.identity(),
    )
    thread.join()
    assert gone.is_set()
    assert not lab.client.state.get(CLUSTER, lab.name).tearing_down
