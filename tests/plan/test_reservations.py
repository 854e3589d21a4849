"""Clusters of one program get their machines in its order, whatever the order in which they are checked and created."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.model.parse import ClusterSpec, parse_cluster
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.findings import Findings, findings
from ksail_pulumi.plan.machines import Assignment
from ksail_pulumi.plan.planning import cluster_machines
from ksail_pulumi.plan.reservations import Earlier, Reserving
from ksail_pulumi.plan.snapshot import Snapshot

from .builders import CATALOG, MARK, VERSIONS, desired, machine, machine_id, node, pool


def declared(name: str, **inputs: object) -> ClusterSpec:
    return parse_cluster({"name": name, **inputs})


def omni(statuses: list[Resource], nodes: list[Resource] | None = None, **more: object) -> Snapshot:
    return replace(Snapshot(statuses=statuses, nodes=nodes or [], talos_versions=CATALOG), **more)


def numbers(machines: object) -> list[int]:
    return sorted(int(each[:8]) for each in machines)  # type: ignore[attr-defined]


def judged(spec: ClusterSpec, snapshot: Snapshot, *earlier: Earlier) -> Findings:
    return findings(spec, snapshot, mark=MARK, reservations=Reserving().reserve(earlier, snapshot))


def test_the_second_cluster_is_warned_of_what_the_first_one_gets() -> None:
    snapshot = omni(pool(25))
    red, blue = (declared(name, controlPlane=3, workers=13) for name in ("red", "blue"))
    assert judged(red, snapshot).failures == judged(blue, snapshot).failures == ()

    found = judged(blue, snapshot, Earlier(red))

    assert found.failures == ()
    assert list(found.warnings) == [
        "not enough available machines in Omni for the requested node count: need 16, got 9 "
        "(unavailable: 16 reserved for cluster red in this run); make some of these available, register more "
        "machines in Omni, or request fewer"
    ]


def test_what_is_lacking_with_or_without_the_first_cluster_is_a_warning() -> None:
    """Machines may join until the `up`."""
    snapshot = omni(pool(5))
    for earlier in (declared("red", workers=1), declared("red", workers=100)):
        found = judged(declared("blue", workers=9), snapshot, Earlier(earlier))
        assert found.failures == ()
        assert any("not enough available machines" in line for line in found.warnings)


def test_a_cluster_that_cannot_be_served_reserves_nothing() -> None:
    snapshot = omni(pool(5))
    assert Reserving().reserve([Earlier(declared("red", workers=9))], snapshot).machines == {}
    assert Reserving().reserve([Earlier(declared("red", talosVersion="1.99.0"))], snapshot).machines == {}


def test_a_cluster_in_omni_keeps_its_machines_and_gets_what_it_lacks_first() -> None:
    nodes = [node(5, "red-control-planes", cluster="red"), node(4, "red-workers", cluster="red")]
    statuses = [machine(number, cluster="red" if number in (4, 5) else "") for number in range(1, 7)]
    snapshot = omni(statuses, nodes)

    kept = Reserving().reserve([Earlier(declared("red", workers=1))], snapshot)
    assert numbers(kept.machines) == [4, 5]
    grows = Reserving().reserve([Earlier(declared("red", workers=3))], snapshot)
    assert numbers(grows.machines) == [1, 2, 4, 5]
    assert set(grows.machines.values()) == {"cluster red"}
    shrinks = Earlier(declared("red", workers=0))
    assert numbers(Reserving().reserve([shrinks], snapshot).machines) == [5]


def test_machines_that_an_earlier_cluster_gives_up_are_no_reason_to_refuse() -> None:
    nodes = [node(number, "red-control-planes", cluster="red", age=number) for number in (1, 2, 3)]
    statuses = [machine(number, cluster="red" if number < 4 else "") for number in range(1, 6)]
    earlier = [Earlier(declared("red", controlPlane=1)), Earlier(declared("green", controlPlane=1))]

    found = judged(declared("blue", controlPlane=2), omni(statuses, nodes), *earlier)

    assert found.failures == ()
    assert any("1 reserved for cluster green in this run" in line for line in found.warnings)


def test_an_earlier_cluster_that_is_replaced_chooses_from_the_machines_of_the_old_one_too() -> None:
    nodes = [node(number, "old-control-planes", cluster="old") for number in (1, 2, 3)]
    statuses = [machine(number, cluster="old" if number < 4 else "") for number in range(1, 7)]
    earlier = Earlier(declared("new", controlPlane=3), replaced="old")

    snapshot = omni(statuses, nodes)

    assert numbers(Reserving().reserve([earlier], snapshot).machines) == [1, 2, 3]
    assert judged(declared("blue", controlPlane=3), snapshot, earlier).failures == ()


def test_the_talos_version_of_an_earlier_cluster_decides_which_machines_can_join() -> None:
    statuses = [machine(1, talos="1.13.8"), machine(2, talos="1.12.11"), machine(3, talos="1.13.8")]
    live = next(each for each in desired(declared("red"), Assignment({}), replace(VERSIONS, talos="1.12.11")))
    earlier = [Earlier(declared("red", controlPlane=1))]

    assert numbers(Reserving().reserve(earlier, omni(statuses, clusters=[live])).machines) == [2]
    assert numbers(Reserving().reserve(earlier, omni(statuses)).machines) == [1]
    given = [Earlier(declared("red", controlPlane=1, talosVersion="1.12.11"))]
    assert numbers(Reserving().reserve(given, omni(statuses)).machines) == [2]


def test_a_named_machine_that_an_earlier_cluster_gets_is_warned_of() -> None:
    snapshot = omni(pool(4))
    blue = declared("blue", controlPlane={"machines": [machine_id(2)]})
    assert judged(blue, snapshot).warnings == ()
    for red in (declared("red", workers=1), declared("red", controlPlane={"machines": [machine_id(2)]})):
        (warning,) = judged(blue, snapshot, Earlier(red)).warnings
        assert warning.startswith("controlPlane.machines[0]: machine host-2")
        assert "is reserved for cluster red in this run" in warning


SELECTORS = st.sampled_from(["", "a", "b", "c", "a, b", "!a"])
SETS = st.tuples(st.integers(0, 3), SELECTORS).map(
    lambda made: {"count": made[0], **({"selector": made[1]} if made[1] and made[0] else {})}
)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.just(""), max_size=3)


@st.composite
def programs(draw: st.DrawFn) -> list[ClusterSpec]:
    return [
        declared(
            f"cluster-{index}",
            controlPlane={**draw(SETS), "count": 1},
            workers=[{"name": f"w{number}", **each} for number, each in enumerate(draw(st.lists(SETS, max_size=2)))],
        )
        for index in range(draw(st.integers(2, 4)))
    ]


@given(st.lists(LABELS, min_size=4, max_size=20), programs(), st.randoms(use_true_random=False))
def test_what_is_promised_in_the_order_of_the_program_is_taken_in_any_order(labels, program, random) -> None:  # type: ignore[no-untyped-def]
    """Also while some machines of a cluster have joined already, and others have not."""
    statuses = [machine(number, labels=each) for number, each in enumerate(labels, start=1)]

    def choose(spec: ClusterSpec, nodes: list[Resource]) -> Assignment:
        now = [machine(int(each.id[:8]), cluster=_holder(each.id, nodes), labels=each.labels) for each in statuses]
        snapshot = omni(now, nodes)
        earlier = [Earlier(each) for each in program[: program.index(spec)]]
        taken = Reserving().reserve(earlier, snapshot).machines
        return cluster_machines(spec, snapshot, VERSIONS, MARK, taken=taken)

    try:
        promised = {spec.name: choose(spec, []) for spec in program}
    except NotEnoughMachinesError:
        return
    everything = [
        node(int(each[:8]), set_id, cluster=name)
        for name, assignment in promised.items()
        for set_id, members in assignment.sets.items()
        for each in members
    ]
    random.shuffle(everything)
    joined = everything[: random.randint(0, len(everything))]
    for spec in program:
        found = choose(spec, joined)
        assert {key: sorted(value) for key, value in found.sets.items()} == {
            key: sorted(value) for key, value in promised[spec.name].sets.items()
        }


def _holder(machine: str, nodes: list[Resource]) -> str:
    return next((each.cluster for each in nodes if each.id == machine), "")
