"""A state speaks of one cluster: the one with its UUID, in its Omni."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.identity import Identity
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

HERE, ELSEWHERE = "https://omni.example:443", "https://other.example:443"
MARK = OwnershipMark("org/shop/dev/west", frozenset({"org/shop/former/west"}))
OURS = Identity("west", MARK, uuid="ours", omni=HERE)
BEGUN = replace(OURS, uuid="")


def cluster(owner: str = MARK.owner, *, phase: str = omni.RUNNING) -> Resource:
    annotations = OwnershipMark(owner).annotations() if owner else {}
    return Resource(omni.CLUSTER, "west", specs_pb2.ClusterSpec(), annotations=annotations, phase=phase)


def uuid(value: str) -> Resource:
    return Resource(omni.CLUSTER_UUID, "west", specs_pb2.ClusterUUID(uuid=value))


def test_the_uuid_decides_and_nothing_else() -> None:
    assert OURS.is_in(cluster(), uuid("ours"), HERE)
    assert OURS.is_in(cluster("somebody/else/s/west"), uuid("ours"), ELSEWHERE)
    assert not OURS.is_in(cluster(), uuid("another"), HERE)
    assert not OURS.is_in(None, None, HERE)


def test_a_cluster_without_a_uuid_has_come_after_ours_unless_it_is_going() -> None:
    assert not OURS.is_in(cluster(), None, HERE)
    assert OURS.is_in(cluster(phase=omni.TEARING_DOWN), None, HERE)


@pytest.mark.parametrize("found", [(None, None), (cluster(), uuid("another"))])
def test_what_is_missing_in_another_omni_is_not_gone(found: tuple[Resource | None, Resource | None]) -> None:
    with pytest.raises(LifecycleError, match=f"last seen in Omni at {HERE} and does not exist in Omni at {ELSEWHERE}"):
        OURS.is_in(*found, ELSEWHERE)


def test_without_a_uuid_the_mark_of_the_unfinished_creation_decides() -> None:
    begun = Creation.begin().on
    assert BEGUN.is_in(begun(cluster()), uuid("any"), HERE)
    assert BEGUN.is_in(begun(cluster("org/shop/former/west")), None, HERE)
    assert not BEGUN.is_in(begun(cluster("somebody/else/s/west")), None, HERE)
    assert not BEGUN.is_in(cluster(), uuid("any"), HERE), "finished, so that a state has it"


def test_states_of_the_first_form_know_no_marks_of_creations() -> None:
    first = replace(BEGUN, marks_creations=False)
    assert first.is_in(cluster(), None, HERE)
    assert not first.is_in(cluster("somebody/else/s/west"), None, HERE)
