"""Every fault of the simulator, in every phase of every verb, ends in convergence or in a clear error, in time.

After an error the fault is removed, and the verb ends well when it is repeated: nothing is lost.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from ksail_pulumi.errors import KsailPulumiError
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.identity import Identity
from ksail_pulumi.lifecycle.update import update
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import LABEL_CONNECTED, MACHINE_STATUS
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import StoreError
from tests.sweeps import sample

from .conftest import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ksail_pulumi.lifecycle.outputs import ClusterOutputs
    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.simulator.faults import Faults, Write

DEADLINE = 3.0
LATE = 2.0
"""How long after the deadline a verb may end, in seconds."""

MACHINES = range(6)


def every(selection: str) -> Callable[[Faults], None]:
    return lambda faults: [getattr(faults, selection).add(machine) for machine in MACHINES] and None


REFUSED_WRITES = "refused writes"
FAULTS: dict[str, Callable[[Faults], None]] = {
    **{name: every(name) for name in ("never_join", "disconnected", "unreachable", "reject_config")},
    "stuck health checks": lambda faults: setattr(faults, "stuck_health_checks", True),
    "failing backups": lambda faults: setattr(faults, "failing_backups", True),
    "three calls find no server": lambda faults: setattr(faults, "unavailable", 3),
    "no call finds a server": lambda faults: setattr(faults, "unavailable", 10**9),
    "a slow link": lambda faults: setattr(faults, "round_trip", 0.5),
    "a link that is too slow": lambda faults: setattr(faults, "round_trip", 60.0),
    "broken watches": lambda faults: faults.break_watches(),
    REFUSED_WRITES: lambda _: None,  # the trap refuses them
}


def heal(faults: Faults) -> None:
    for selection in (faults.never_join, faults.disconnected, faults.unreachable, faults.reject_config):
        selection.clear()
    faults.stuck_health_checks = faults.failing_backups = False
    faults.unavailable, faults.round_trip = 0, 0.0


class Trap:
    """Lets one fault strike once: at once, after the first write, or when the waiting or the revert begins."""

    def __init__(self, lab: Lab, faults: Faults, fault: str, phase: str) -> None:
        self._faults = faults
        self._fault = fault
        self._healed = False
        if phase == "begin":
            self._strike()
        elif phase == "write":
            faults.on_write(lambda moment, _: self._strike() if moment == "after" else None)
        else:
            begins = {"wait": "machine", "revert": "the upgrade failed"}[phase]
            lab.on_progress = lambda line: self._strike() if begins in line else None

    @property
    def struck(self) -> bool:
        return not self._fault

    def _strike(self) -> None:
        fault, self._fault = self._fault, ""
        if fault:
            FAULTS[fault](self._faults)
            if fault == REFUSED_WRITES:
                self._faults.on_write(self._refuse)

    def _refuse(self, moment: str, _: Write) -> None:
        if moment == "before" and not self._healed:
            raise StoreError(grpc.StatusCode.PERMISSION_DENIED, "not now")

    def heal(self) -> None:
        """Remove the fault."""
        self._healed = True
        heal(self._faults)


@pytest.fixture
def late() -> Iterator[Callable[[], float]]:
    """How long this machine has been late in this test, in seconds: a thread counts how much it oversleeps."""
    stop, overslept = threading.Event(), [0.0]

    def count() -> None:
        while not stop.is_set():
            begin = time.monotonic()
            stop.wait(0.02)
            overslept[0] += max(0.0, time.monotonic() - begin - 0.03)

    thread = threading.Thread(target=count)
    thread.start()
    yield lambda: overslept[0]
    stop.set()
    thread.join()


class Work:
    """One verb on one cluster, which continues after an error as Pulumi does: with what the state has then."""

    def __init__(self, lab: Lab, verb: str) -> None:
        self._lab = lab
        self._verb = verb
        self._old = None if verb == "create" else lab.create(workers=1, **OLD)
        self._leaves = verb in ("delete", "delete after a backup", "replace")

    def do(self, seconds: float) -> None:
        session = self._lab.session(seconds=seconds, grace=1)
        try:
            if self._leaves:
                backup = self._verb == "delete after a backup"
                delete(self._lab.name, session, identity=self._identity, backup_first=backup)
                self._leaves, self._old = False, None
            if not self._verb.startswith("delete"):
                outputs = self._apply(session)
                assert outputs.ready
        except KsailPulumiError as error:
            self._old = error.outputs or self._old
            raise

    def _apply(self, session: Session) -> ClusterOutputs:
        if self._old is None:
            return create(self._lab.spec(workers=1), self._lab.mark, session)
        wanted = self._lab.spec(**WANTED.get(self._verb, {"workers": 1}))
        return update(wanted, self._identity, session, old=self._old.to_wire())

    @property
    def _identity(self) -> Identity:
        assert self._old is not None
        uuid, run, omni = self._old.cluster_uuid, self._old.creation, self._lab.client.endpoint
        return Identity(self._lab.name, self._lab.mark, uuid=uuid, omni=omni, run=run)


PATCH = {"name": "p", "inline": {"machine": {"sysctls": {"a": "1"}}}}
OLD = {"talosVersion": "1.13.7"}
WANTED: Mapping[str, Mapping[str, Any]] = {
    "update": {"workers": 2, "patches": [PATCH], **OLD},
    "upgrade after a backup": {"workers": 1, "talosVersion": "1.13.8", "backupBefore": ["upgrade"]},
}
VERBS = ("create", "update", "upgrade after a backup", "replace", "delete", "delete after a backup")
PHASES = ("begin", "write", "wait")
CASES = [(fault, verb) for fault in FAULTS for verb in VERBS]


@pytest.fixture(autouse=True)
def _only_with_the_simulator(omni_endpoint: str) -> None:
    if omni_endpoint:
        pytest.skip("needs levers that only the simulator has")


@pytest.mark.parametrize("case", sample(CASES), ids="-".join)
def test_a_fault_ends_in_convergence_or_in_a_clear_error_in_time(
    late: Callable[[], float], case: tuple[str, str]
) -> None:
    """In all phases at the same time, each in an Omni of its own: most of the time is waiting."""
    with ThreadPoolExecutor(len(PHASES)) as pool:
        for ended in [pool.submit(runs_into, *case, phase, late) for phase in PHASES]:
            ended.result()


@pytest.mark.parametrize("fault", sample(FAULTS))
def test_a_fault_in_a_revert_ends_as_well(late: Callable[[], float], fault: str) -> None:
    """An upgrade that cannot finish is taken back; the fault strikes when that begins."""
    old = {"workers": 1, "talosVersion": "1.13.7"}
    with Simulator(machines=len(MACHINES), speed="fast") as simulator:
        client = connect(Connection(simulator.endpoint, simulator.service_account_key))
        lab = Lab(client, "test-revert")
        outputs = lab.create(**old)
        stuck = min(lab.machines("workers"))
        simulator.faults.unreachable.add(stuck)
        trap = Trap(lab, simulator.faults, fault, "revert")
        begin, late_before = time.monotonic(), late()
        upgraded = {**old, "talosVersion": "1.13.8", "onUpgradeFailure": "revert"}
        with pytest.raises(KsailPulumiError) as raised:
            lab.update(outputs, session=lab.session(seconds=DEADLINE, grace=1), **upgraded)
        # The revert may take the deadline once more.
        assert time.monotonic() - begin - 2 * DEADLINE - (late() - late_before) < LATE
        assert trap.struck
        assert "1.13.8 failed" in str(raised.value)
        trap.heal()
        lab.on_progress = None
        connected(lab)
        assert lab.update(raised.value.outputs, session=lab.session(seconds=120.0), **upgraded).ready
        client.close()


def runs_into(fault: str, verb: str, phase: str, late: Callable[[], float]) -> None:
    with Simulator(machines=len(MACHINES), speed="fast") as simulator:
        client = connect(Connection(simulator.endpoint, simulator.service_account_key))
        lab = Lab(client, f"test-{phase}")
        work = Work(lab, verb)
        trap = Trap(lab, simulator.faults, fault, phase)
        begin, late_before = time.monotonic(), late()
        error = ""
        try:
            work.do(DEADLINE)
        except KsailPulumiError as caught:
            error = str(caught)
        overrun = time.monotonic() - begin - DEADLINE - (late() - late_before)
        assert overrun < LATE, phase
        assert trap.struck, phase
        trap.heal()
        lab.on_progress = None
        if error:
            assert any(named in error for named in (lab.name, "Omni", "service account")), error
            connected(lab)
            work.do(120.0)
        if verb.startswith("delete"):
            assert lab.read() is None
        lab.delete()
        client.close()


def connected(lab: Lab) -> None:
    """Wait until Omni shows all machines as connected."""
    with lab.client.state.watch(Query(MACHINE_STATUS)) as watch:
        lost: dict[str, bool] = {}
        while (event := watch.next(timeout=60)) is not None:
            if event.resource is not None:
                lost[event.resource.id] = LABEL_CONNECTED not in event.resource.labels
            if len(lost) == len(MACHINES) and not any(lost.values()):
                return
    raise AssertionError("machines stay disconnected")
