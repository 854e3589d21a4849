"""What must change, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ksail_pulumi.errors import ForeignClusterError
from ksail_pulumi.model.parse import ClusterSpec
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import baseline_resources
from ksail_pulumi.plan.changes import Plan
from ksail_pulumi.plan.diff import diff, steps
from ksail_pulumi.plan.locks import with_lock, without_lock
from ksail_pulumi.plan.ownership import OwnershipMark

from .builders import MARK, assigned, cluster_spec, desired, machine_id, node, pool

PATCH = {"name": "p", "inline": {"machine": {"sysctls": {"a": "b"}}}}
SPEC = cluster_spec(controlPlane={"count": 1}, workers=2, patches=[PATCH], labels={"env": "dev"})


def live(resources: list[Resource]) -> list[Resource]:
    """The resources as Omni has them after they were created."""
    return [replace(each, version=3, finalizers=("Controller",)) for each in resources]


def patch(resource_id: str = "foreign", mark: OwnershipMark | None = None, cluster: str = "prod") -> Resource:
    spec = specs_pb2.ConfigPatchSpec(data="machine: {}\n")
    return Resource(
        omni.CONFIG_PATCH,
        resource_id,
        spec,
        {omni.LABEL_CLUSTER: cluster},
        mark.annotations() if mark else {},
        version=1,
    )


def changed(plan: Plan) -> list[tuple[str, list[str]]]:
    return [(step.verb, [each.id for each in step.resources]) for step in steps(plan)]


def with_entries(
    resources: list[Resource],
    resource_id: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> list[Resource]:
    return [
        replace(each, labels={**each.labels, **(labels or {})}, annotations={**each.annotations, **(annotations or {})})
        if each.id == resource_id
        else each
        for each in resources
    ]


def test_a_new_cluster_is_created_type_by_type_in_omnis_order() -> None:
    plan = diff(list(reversed(desired(SPEC))), [], mark=MARK)

    assert [(verb, sorted(ids)) for verb, ids in changed(plan)] == [
        ("create", ["prod"]),
        ("create", ["200-cluster-prod-p"]),
        ("create", ["prod-control-planes", "prod-workers"]),
        ("create", [machine_id(1), machine_id(2), machine_id(3)]),
    ]


def test_what_is_as_desired_needs_nothing() -> None:
    assert diff(desired(SPEC), live(desired(SPEC)), mark=MARK).empty
    assert changed(diff(desired(SPEC), live(desired(SPEC)), mark=MARK)) == []


def test_foreign_labels_annotations_and_finalizers_stay() -> None:
    actual = with_entries(live(desired(SPEC)), "prod", {"team": "a"}, {"note": "hands off"})
    assert diff(desired(SPEC), actual, mark=MARK).empty

    plan = diff(desired(SPEC, versions=Versions("1.13.8", "1.36.2")), actual, mark=MARK)

    (update,) = plan.updates
    assert update.desired.spec.kubernetes_version == "1.36.2"
    assert update.desired.labels == {"env": "dev", "team": "a"}
    assert update.desired.annotations["note"] == "hands off"
    assert update.desired.finalizers == ("Controller",)
    assert update.desired.version == 3


def test_only_what_changed_is_updated() -> None:
    other = cluster_spec(
        controlPlane={"count": 1},
        workers=2,
        patches=[{"name": "p", "inline": {"machine": {"sysctls": {"a": "c"}}}}],
        labels={"env": "dev"},
    )

    assert changed(diff(desired(other), live(desired(SPEC)), mark=MARK)) == [("update", ["200-cluster-prod-p"])]


def test_a_label_dropped_from_the_inputs_goes_only_if_they_set_it() -> None:
    actual = with_entries(live(desired(SPEC)), "prod", {"team": "a"})
    bare = cluster_spec(controlPlane={"count": 1}, workers=2, patches=[PATCH])

    assert diff(desired(bare), actual, mark=MARK).empty
    plan = diff(desired(bare), actual, mark=MARK, baseline=baseline_resources(SPEC, SPEC, actual, MARK))

    assert plan.updates[0].desired.labels == {"team": "a"}


def locked_spec(*, cluster: bool | None = None, machine: bool | None = None, version: str = "1.36.3") -> ClusterSpec:
    return cluster_spec(
        kubernetesVersion=version, workers=1, locked=cluster, machines={machine_id(2): {"locked": machine}}
    )


def lock_plan(old: ClusterSpec, new: ClusterSpec) -> Plan:
    """The plan from one to the other, on a cluster that the old inputs made."""
    versions = Versions("1.13.8", new.kubernetes_version or "")
    actual = live(desired(old))
    return diff(desired(new, versions=versions), actual, mark=MARK, baseline=baseline_resources(old, new, actual, MARK))


def test_a_lock_is_never_removed_by_leaving_it_out() -> None:
    assert lock_plan(locked_spec(cluster=True, machine=True), locked_spec()).empty


def test_a_lock_is_removed_where_the_inputs_say_so() -> None:
    plan = lock_plan(locked_spec(cluster=True, machine=True), locked_spec(cluster=False, machine=False))

    assert changed(plan) == [("update", ["prod"]), ("update", [machine_id(2)])]
    assert omni.ANNOTATION_CLUSTER_LOCKED not in plan.updates[0].desired.annotations
    assert omni.ANNOTATION_LOCKED not in plan.updates[1].desired.annotations


def test_a_lock_of_somebody_else_is_removed_where_the_inputs_say_so() -> None:
    plan = lock_plan(locked_spec(machine=True), locked_spec(machine=False))
    taken_over = diff(
        desired(locked_spec(machine=False)),
        live(desired(locked_spec(machine=True))),
        mark=MARK,
        baseline=baseline_resources(None, locked_spec(machine=False), live(desired(locked_spec(machine=True))), MARK),
    )

    assert changed(plan) == changed(taken_over) == [("update", [machine_id(2)])]


def test_a_cluster_is_unlocked_before_everything_else() -> None:
    bigger = cluster_spec(kubernetesVersion="1.36.3", workers=2, locked=False, machines={machine_id(2): {}})

    assert changed(lock_plan(locked_spec(cluster=True), bigger)) == [
        ("update", ["prod"]),
        ("create", [machine_id(3)]),
    ]


def test_locks_are_kept_for_the_end() -> None:
    both = locked_spec(cluster=True, machine=True)

    for plan in (lock_plan(locked_spec(), both), diff(desired(both), [], mark=MARK)):
        assert not plan.empty
        assert [each.id for each in plan.locks] == [machine_id(2), "prod"], "nothing can be locked in a locked cluster"
        annotations = [each.annotations for each in (*plan.creates, *(update.desired for update in plan.updates))]
        assert not [each for each in annotations if omni.ANNOTATION_LOCKED in each]
        assert not [each for each in annotations if omni.ANNOTATION_CLUSTER_LOCKED in each]
    assert steps(lock_plan(locked_spec(), both)) == []
    assert lock_plan(both, both).empty, "what is locked already needs nothing"


def test_a_lock_goes_on_and_off_a_resource() -> None:
    (cluster, *_) = desired(locked_spec())

    assert with_lock(cluster).annotations[omni.ANNOTATION_CLUSTER_LOCKED] == ""
    assert without_lock(with_lock(cluster)) == cluster


MACHINE_PARTS = cluster_spec(
    workers=1,
    machines={machine_id(2): {"install": {"disk": "/dev/vda"}, "kernelArgs": ["a=b"], "systemExtensions": []}},
)


def test_what_belongs_to_a_machine_is_let_go_of_when_it_leaves() -> None:
    plan = diff(desired(cluster_spec()), live(desired(MACHINE_PARTS)), mark=MARK)

    assert changed(plan) == [
        ("update", [machine_id(2)]),
        ("update", [machine_id(2)]),
        ("destroy", ["prod-workers"]),
        ("destroy", [f"schematic-{machine_id(2)}"]),
    ]
    assert [update.desired.type for update in plan.updates] == [omni.MACHINE_INSTALL_DISK_CONFIG, omni.KERNEL_ARGS]
    assert all(not update.desired.annotations for update in plan.updates)


def test_an_install_disk_is_removed_from_a_machine_that_stays_and_kernel_arguments_are_not() -> None:
    plan = diff(desired(cluster_spec(workers=1)), live(desired(MACHINE_PARTS)), mark=MARK)

    assert changed(plan) == [
        ("update", [machine_id(2)]),
        ("destroy", [f"schematic-{machine_id(2)}", machine_id(2)]),
    ]
    assert plan.updates[0].desired.type == omni.KERNEL_ARGS
    assert {each.type for each in plan.destroys} == {omni.EXTENSIONS_CONFIGURATION, omni.MACHINE_INSTALL_DISK_CONFIG}


def test_fields_that_a_newer_omni_knows_survive() -> None:
    actual = live(desired(SPEC))
    newer = specs_pb2.ClusterSpec()
    newer.ParseFromString(actual[0].spec.SerializeToString() + b"\xfa\x3e\x03new")  # field 1007, unknown here
    actual[0] = replace(actual[0], spec=newer)

    plan = diff(desired(SPEC, versions=Versions("1.13.8", "1.36.2")), actual, mark=MARK)

    assert b"\xfa\x3e\x03new" in plan.updates[0].desired.spec.SerializeToString()


def test_what_is_no_longer_wanted_goes_nodes_and_sets_first() -> None:
    smaller = cluster_spec(controlPlane={"count": 1}, labels={"env": "dev"})

    plan = diff(desired(smaller), live(desired(SPEC)), mark=MARK)

    assert changed(plan) == [("destroy", ["prod-workers"]), ("destroy", ["200-cluster-prod-p"])]


def test_nodes_are_named_where_their_set_stays() -> None:
    fewer = cluster_spec(controlPlane={"count": 1}, workers=1, patches=[PATCH], labels={"env": "dev"})

    assert changed(diff(desired(fewer), live(desired(SPEC)), mark=MARK)) == [("destroy", [machine_id(3)])]


def test_what_others_made_stays_unless_ownership_is_exclusive() -> None:
    actual = [*live(desired(SPEC)), patch(), replace(patch("omnis"), owner="Controller")]

    assert diff(desired(SPEC), actual, mark=MARK).empty
    assert changed(diff(desired(SPEC), actual, mark=MARK, exclusive=True)) == [("destroy", ["foreign"])]


def test_in_the_cluster_any_mark_counts_as_ours_and_of_a_machine_only_ours() -> None:
    """Whose the cluster is was decided by its UUID; a crash may have left a former mark behind."""
    other = OwnershipMark("acme/shop/dev/another")
    args = replace(patch("m", other), type=omni.KERNEL_ARGS, id=machine_id(1), labels={})
    actual = [*live(desired(SPEC)), patch("former", other), args]

    assert changed(diff(desired(SPEC), actual, mark=MARK)) == [("destroy", ["former"])]
    former = OwnershipMark(MARK.owner, frozenset({other.owner}))
    assert changed(diff(desired(SPEC), actual, mark=former)) == [("update", [args.id]), ("destroy", ["former"])]


def test_nodes_of_a_class_are_omnis() -> None:
    actual = [*live(desired(SPEC)), node(7, "prod-workers", by_class=True)]

    assert diff(desired(SPEC), actual, mark=MARK, exclusive=True).empty


def test_taking_over_a_foreign_cluster_marks_everything() -> None:
    foreign = [replace(each, annotations={}) for each in live(desired(SPEC))]

    plan = diff(desired(SPEC), foreign, mark=MARK)

    assert len(plan.updates) == len(foreign)
    assert all(MARK.owns(update.desired) for update in plan.updates)
    assert not plan.creates
    assert not plan.destroys


def test_a_machine_that_changes_its_set_leaves_first_and_joins_later() -> None:
    before = cluster_spec(workers=[{"machines": [machine_id(2)]}, {"name": "b", "machines": []}])
    after = cluster_spec(workers=[{"machines": []}, {"name": "b", "machines": [machine_id(2)]}])

    plan = diff(desired(after), live(desired(before)), mark=MARK)

    assert changed(plan) == [("destroy", [machine_id(2)])]
    assert [each.labels[omni.LABEL_MACHINE_SET] for each in plan.deferred] == ["prod-b"]


def test_what_is_being_torn_down_is_created_again_later() -> None:
    actual = [
        replace(each, phase=omni.TEARING_DOWN) if each.id == machine_id(2) else each for each in live(desired(SPEC))
    ]

    plan = diff(desired(SPEC), actual, mark=MARK)

    assert changed(plan) == []
    assert [each.id for each in plan.deferred] == [machine_id(2)]
    assert not plan.empty


def test_nodes_wait_until_the_set_that_is_going_is_gone() -> None:
    workers = "prod-workers"
    actual = [replace(each, phase=omni.TEARING_DOWN) if each.id == workers else each for each in live(desired(SPEC))]
    without_nodes = [each for each in actual if each.labels.get(omni.LABEL_MACHINE_SET) != workers]

    for resources in (actual, without_nodes):
        plan = diff(desired(SPEC), resources, mark=MARK)
        assert changed(plan) == []
        assert {each.id for each in plan.deferred if each.type == omni.MACHINE_SET_NODE} == {
            each.id for each in desired(SPEC) if each.labels.get(omni.LABEL_MACHINE_SET) == workers
        }
        assert workers in {each.id for each in plan.deferred}


def test_a_resource_of_another_cluster_is_never_taken() -> None:
    actual = [node(2, "other-workers", cluster="other", mark=None)]

    with pytest.raises(ForeignClusterError, match="already exists for cluster 'other'"):
        diff(desired(SPEC), actual, mark=MARK)


def test_removing_a_cluster_leaves_the_rest_to_omni() -> None:
    assert changed(diff([], live(desired(SPEC)), mark=MARK)) == [("destroy", ["prod"])]


def test_the_inputs_before_are_judged_on_the_machines_the_cluster_has() -> None:
    actual = live(desired(SPEC, assigned(SPEC, pool(9)[4:])))

    previous = baseline_resources(SPEC, SPEC, actual, MARK)

    assert {each.id for each in previous} == {each.id for each in actual}
    assert baseline_resources(SPEC, SPEC, [], MARK) == []
