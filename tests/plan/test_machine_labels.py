"""The labels of a machine, of which only some are ours."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.machine_labels import labelled, our_keys
from ksail_pulumi.plan.machine_view import MachineView, Owner
from ksail_pulumi.plan.ownership import MachineConfigMark

from .builders import machine_id

OWNER = Owner(MachineConfigMark("acme/shop/dev/rack"))
VALUES = st.sampled_from(["1", "2", ""])
OURS = st.dictionaries(st.sampled_from(["zone", "rack", "row"]), VALUES, max_size=3)
THEIRS = st.dictionaries(st.sampled_from(["team", "owner"]), VALUES, max_size=2)
NOTES = st.dictionaries(st.sampled_from([omni.ANNOTATION_MANAGED_BY_GITOPS, "note"]), VALUES, max_size=2)


@given(
    exists=st.booleans(),
    notes=NOTES,
    steps=st.lists(st.tuples(OURS, THEIRS), min_size=1, max_size=4),
)
def test_labels_and_annotations_of_others_survive_and_ours_leave_nothing(
    exists: bool, notes: dict[str, str], steps: list[tuple[dict[str, str], dict[str, str]]]
) -> None:
    machine = MachineView(machine_id(1))
    if exists:
        found = Resource(omni.MACHINE_LABELS, machine.id, specs_pb2.MachineLabelsSpec(), {}, dict(notes))
        machine = replace(machine, labels=found)
    theirs: dict[str, str] = {}
    before: dict[str, str] = {}
    for wanted, foreign in steps:
        written = labelled(machine, wanted, before, OWNER)
        before = wanted
        if written is None:
            assert not wanted
            assert not theirs
            machine = replace(machine, labels=None)
            exists = False
            continue
        assert written.labels == {**theirs, **wanted}
        assert set(our_keys(written, OWNER, {})) == set(wanted)
        theirs = foreign
        machine = replace(machine, labels=replace(written, labels={**foreign, **wanted}))
    left = labelled(machine, {}, before, OWNER)
    assert (left.labels if left is not None else {}) == theirs
    assert (left.annotations if left is not None else {}) == (notes if exists else {})
