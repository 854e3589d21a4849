"""A patch or manifest that stands in Omni under another number than ours is the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.model.parse import ClusterSpec, to_wire
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import baseline_resources
from ksail_pulumi.plan.changes import Plan
from ksail_pulumi.plan.diff import diff
from ksail_pulumi.plan.numbering import Settled, given_ids, ids_in_use, settle
from ksail_pulumi.plan.ownership import OwnershipMark

from .builders import MARK, cluster_spec, desired, inputs_of, machine_id

ANOTHER = OwnershipMark("acme/other/dev/prod")


def patches(*names: str, text: str = "machine: {sysctls: {a: b}}\n") -> list[dict[str, Any]]:
    return [{"name": name, "inline": text} for name in names]


def made_by_another_tool(spec: ClusterSpec, numbers: dict[str, str] | None = None) -> list[Resource]:
    """The resources of a cluster as a tool without our mark has made them, some under other IDs."""
    return [
        replace(each, id=(numbers or {}).get(each.id, each.id), version=1, annotations=_unmarked(each))
        for each in desired(spec)
    ]


def _unmarked(resource: Resource) -> dict[str, str]:
    return {key: value for key, value in resource.annotations.items() if key not in MARK.annotations()}


def settled(spec: ClusterSpec, live: Sequence[Resource]) -> Settled:
    return settle(desired(spec), live, mark=MARK, given=given_ids(spec))


def planned(spec: ClusterSpec, live: Sequence[Resource], old: ClusterSpec | None = None) -> Plan:
    """The plan for a cluster of which `live` stands in Omni."""
    found = settled(spec, live)
    before = settle(baseline_resources(old, spec, live, MARK), live, mark=MARK, given=given_ids(old or spec))
    return diff(
        found.resources,
        live,
        mark=MARK,
        baseline=before.resources,
        superseded={each.old.key for each in found.renumbered},
    )


def after(plan: Plan, live: Sequence[Resource]) -> list[Resource]:
    """What stands in Omni after a plan."""
    gone = {each.key for each in plan.destroys}
    changed = {update.desired.key: update.desired for update in plan.updates}
    return [changed.get(each.key, each) for each in (*live, *plan.creates) if each.key not in gone]


def ids(resources: Sequence[Resource], kind: omni.ResourceType = omni.CONFIG_PATCH) -> list[str]:
    return sorted(each.id for each in resources if each.type == kind)


def use(own: list[str], live: list[str], given: Sequence[str] = ()) -> list[str]:
    used = ids_in_use(own, live, given)
    return [used[each] for each in own]


def test_what_stands_under_another_number_keeps_it() -> None:
    assert use(["200-c-a", "201-c-b"], ["200-c-a", "205-c-b"]) == ["200-c-a", "205-c-b"]
    assert use(["200-c-a", "201-c-b"], ["203-c-a", "204-c-b"]) == ["203-c-a", "204-c-b"]


def test_its_own_number_comes_before_another() -> None:
    assert use(["200-c-a"], ["200-c-a", "205-c-a"]) == ["200-c-a"]


def test_what_is_not_there_gets_its_own_number() -> None:
    assert use(["200-c-a", "201-c-b"], []) == ["200-c-a", "201-c-b"]
    assert use(["200-c-a"], ["200-d-a", "c-a", "20-c-a", "200-c-a-b"]) == ["200-c-a"]


def test_the_order_decides_who_keeps_its_number() -> None:
    assert use(["200-c-a", "201-c-b"], ["205-c-a"]) == ["200-c-a", "201-c-b"], "a would come after b"
    assert use(["200-c-a", "201-c-b"], ["204-c-b", "205-c-a"]) == ["200-c-a", "204-c-b"]
    assert use(["200-c-new", "201-c-a", "202-c-b"], ["200-c-a", "201-c-b"]) == ["200-c-new", "201-c-a", "201-c-b"]


def test_as_few_as_possible_get_another_number() -> None:
    own = [f"{200 + index}-c-{name}" for index, name in enumerate("abcdef")]
    live = [f"{201 + index}-c-{name}" for index, name in enumerate("abcde")]
    assert use(own, live) == [*live, "205-c-f"]
    # 202-c-z would come after 202-c-f, and 201-c-z comes after 201-c-a all the same.
    assert use(["200-c-a", "201-c-z", "202-c-f"], ["201-c-a", "202-c-z"]) == ["201-c-a", "201-c-z", "202-c-f"]


def test_an_id_that_is_given_in_whole_stays_as_it_is_given() -> None:
    assert use(["205-c-a"], ["200-c-a"], given=["205-c-a"]) == ["205-c-a"]


def test_a_name_that_stands_twice_is_two_patches() -> None:
    assert use(["200-c-a", "201-c-a"], ["203-c-a", "204-c-a"]) == ["203-c-a", "204-c-a"]
    assert use(["200-c-a", "201-c-a"], ["200-c-a"]) == ["200-c-a", "201-c-a"]


names = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)
numbers = st.lists(st.integers(197, 209), max_size=6)


@given(names, names, numbers)
def test_a_plan_gives_the_programs_order_with_nothing_twice_and_then_has_nothing_to_do(
    wanted: list[str], found: list[str], at: list[int]
) -> None:
    spec = cluster_spec(patches=patches(*wanted))
    live = made_by_another_tool(cluster_spec())
    template = next(each for each in desired(cluster_spec(patches=patches("x"))) if each.type == omni.CONFIG_PATCH)
    for name, number in zip(found, at, strict=False):
        live.append(replace(template, id=f"{number}-cluster-prod-{name}", annotations={"name": name}, version=1))

    once = after(planned(spec, live), live)

    ours = [each for each in ids(once) if each.rsplit("-", 1)[1] in wanted]
    assert [each.rsplit("-", 1)[1] for each in ours] == wanted, "each once, in the order of the program"
    strangers = {each.id for each in live if each.type == omni.CONFIG_PATCH} - set(ours)
    assert {each for each in strangers if each.rsplit("-", 1)[1] not in wanted} <= set(ids(once))
    assert planned(spec, once).empty
    assert inputs_of(once, mark=MARK, previous=spec) == to_wire(spec)


SPEC = cluster_spec(
    talosVersion="1.13.8",
    kubernetesVersion="1.36.3",
    controlPlane={"count": 1, "patches": patches("etcd", "audit")},
    workers=1,
    machines={machine_id(2): {"patches": patches("disk")}},
    patches=patches("kubelet", "sysctls"),
    manifests=[{"name": name, "mode": "full", "inline": {"kind": "Namespace"}} for name in ("a", "b")],
)
ELSEWHERE = {
    "201-cluster-prod-sysctls": "203-cluster-prod-sysctls",
    "401-prod-control-planes-audit": "404-prod-control-planes-audit",
    f"400-cm-{machine_id(2)}-disk": f"402-cm-{machine_id(2)}-disk",
}


def test_a_takeover_keeps_the_numbers_of_every_scope_and_of_manifests() -> None:
    numbers = {**ELSEWHERE, "201-cluster-prod-b": "207-cluster-prod-b"}
    live = made_by_another_tool(SPEC, numbers)

    plan = planned(SPEC, live)
    taken = after(plan, live)

    assert (plan.creates, plan.destroys) == ((), ())
    assert [update for update in plan.updates if update.actual.spec != update.desired.spec] == []
    assert ids(taken) == ids(live)
    assert ids(taken, omni.KUBERNETES_MANIFEST_GROUP) == ["200-cluster-prod-a", "207-cluster-prod-b"]
    assert all(MARK.owns(each) for each in taken)
    assert planned(SPEC, taken, SPEC).empty
    assert inputs_of(taken, mark=MARK, previous=SPEC) == to_wire(SPEC)


def test_a_label_that_goes_from_the_inputs_goes_from_a_patch_under_another_number() -> None:
    def spec(**labels: str) -> ClusterSpec:
        return cluster_spec(patches=[{**patches("a")[0], "labels": labels}])

    live = [
        replace(each, id="204-cluster-prod-a", labels={**each.labels, "team": "x"})
        if each.type == omni.CONFIG_PATCH
        else each
        for each in desired(spec(stage="dev"))
    ]

    (update,) = planned(spec(), live, spec(stage="dev")).updates

    assert update.desired.id == "204-cluster-prod-a"
    assert update.desired.labels == {omni.LABEL_CLUSTER: "prod", "team": "x"}


def test_the_same_name_in_another_scope_is_another_patch() -> None:
    live = made_by_another_tool(cluster_spec(workers=1))
    template = next(each for each in desired(SPEC) if each.id == "200-cluster-prod-kubelet")
    for labels in ({omni.LABEL_MACHINE_SET: "prod-workers"}, {omni.LABEL_SYSTEM_PATCH: ""}):
        other = replace(template, id="209-cluster-prod-a", labels={**template.labels, **labels}, annotations={})

        plan = planned(cluster_spec(workers=1, patches=patches("a")), [*live, other])

        assert ids(plan.creates) == ["200-cluster-prod-a"]
        assert plan.destroys == ()


def test_what_cannot_keep_its_number_is_replaced_whoever_made_it() -> None:
    before = cluster_spec(patches=patches("a", "b"))
    numbers = {"200-cluster-prod-a": "204-cluster-prod-a", "201-cluster-prod-b": "203-cluster-prod-b"}

    for live in (
        made_by_another_tool(before, numbers),
        [replace(each, id=numbers.get(each.id, each.id)) for each in desired(before)],
    ):
        plan = planned(before, live)

        assert ids(plan.creates) == ["200-cluster-prod-a"]
        assert ids(plan.destroys) == ["204-cluster-prod-a"]
        assert [each.old.id for each in settled(before, live).renumbered] == ["204-cluster-prod-a"]
        assert planned(before, after(plan, live)).empty


def test_one_that_stands_beside_ours_under_another_number_goes() -> None:
    spec = cluster_spec(patches=patches("a"))
    theirs = next(each for each in made_by_another_tool(spec) if each.type == omni.CONFIG_PATCH)
    live = [*desired(spec), replace(theirs, id="207-cluster-prod-a")]

    plan = planned(spec, live)

    assert ids(plan.destroys) == ["207-cluster-prod-a"]
    assert (plan.creates, plan.updates) == ((), ())


def test_one_that_stands_beside_ours_shows_in_a_refresh() -> None:
    spec = cluster_spec(patches=patches("a"))
    taken = [
        replace(each, id="203-cluster-prod-a") if each.type == omni.CONFIG_PATCH else each for each in desired(spec)
    ]
    theirs = replace(next(each for each in taken if each.type == omni.CONFIG_PATCH), id="207-cluster-prod-a")

    assert inputs_of(taken, mark=MARK, previous=spec) == to_wire(spec)
    read = inputs_of([*taken, replace(theirs, annotations={"name": "a"})], mark=MARK, previous=spec)

    assert [patch.get("idOverride") for patch in read["patches"]] == [None, "207-cluster-prod-a"]


def test_an_order_that_somebody_changed_shows_in_a_refresh() -> None:
    spec = cluster_spec(patches=patches("a", "b"))
    numbers = {"200-cluster-prod-a": "204-cluster-prod-a"}
    live = [replace(each, id=numbers.get(each.id, each.id)) for each in desired(spec)]

    read = inputs_of(live, mark=MARK, previous=spec)

    assert [patch["name"] for patch in read["patches"]] == ["b", "a"]


def test_the_one_with_our_mark_counts_where_two_stand_for_the_same() -> None:
    spec = cluster_spec(patches=patches("a"))
    theirs = next(each for each in made_by_another_tool(spec) if each.type == omni.CONFIG_PATCH)
    live = [
        *(each for each in desired(spec) if each.type != omni.CONFIG_PATCH),
        replace(theirs, id="203-cluster-prod-a"),
        replace(theirs, id="205-cluster-prod-a", annotations={**theirs.annotations, **MARK.annotations()}),
    ]

    assert ids(settled(spec, live).resources) == ["205-cluster-prod-a"]
    assert ids(planned(spec, live).destroys) == ["203-cluster-prod-a"]


def test_a_patch_whose_id_is_given_in_whole_neither_takes_the_place_of_another_nor_gives_way() -> None:
    spec = cluster_spec(patches=[{**patches("a")[0], "idOverride": "205-cluster-prod-a"}])
    live = made_by_another_tool(cluster_spec(patches=patches("a")))

    plan = planned(spec, live)

    assert ids(plan.creates) == ["205-cluster-prod-a"]
    assert plan.destroys == ()
    assert planned(spec, after(plan, live)).empty


def test_a_component_is_no_patch_of_the_inputs() -> None:
    component = cluster_spec(addons={"metricsServer": True})
    plain = cluster_spec(patches=patches("component-metrics-server"))

    assert ids(planned(plain, desired(component)).creates) == ["200-cluster-prod-component-metrics-server"]
    assert ids(planned(component, desired(plain)).creates) == ["100-cluster-prod-component-metrics-server"]


def test_what_is_going_or_belongs_to_a_controller_is_nothing_to_take() -> None:
    spec = cluster_spec(patches=patches("a"))
    (theirs,) = (each for each in made_by_another_tool(spec) if each.type == omni.CONFIG_PATCH)
    rest = [each for each in desired(spec) if each.type != omni.CONFIG_PATCH]
    for change in ({"phase": omni.TEARING_DOWN}, {"owner": "SomeController"}):
        plan = planned(spec, [*rest, replace(theirs, id="203-cluster-prod-a", **change)])

        assert ids(plan.creates) == ["200-cluster-prod-a"]
        assert plan.destroys == ()


def test_a_manifest_under_any_number_is_read_as_an_input() -> None:
    live = [
        replace(each, id="207-cluster-prod-b") if each.id == "201-cluster-prod-b" else each for each in desired(SPEC)
    ]

    assert [each["name"] for each in inputs_of(live)["manifests"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("stands", "asked", "changes"),
    [
        ("machine:\n    sysctls:\n        a: b\n", "# why\nmachine:\n  sysctls: {a: b}\n", False),
        ("machine:\n    sysctls:\n        a: b\n", "machine:\n  sysctls: {a: c}\n", True),
        ("machine:\n    sysctls:\n        a: 1\n", 'machine:\n  sysctls: {a: "1"}\n', True),
    ],
)
def test_another_layout_is_no_change(stands: str, asked: str, changes: bool) -> None:
    spec = cluster_spec(patches=patches("a", text=asked))
    (theirs,) = (each for each in made_by_another_tool(spec) if each.type == omni.CONFIG_PATCH)
    rest = [each for each in desired(spec) if each.type != omni.CONFIG_PATCH]
    live = [*rest, replace(theirs, id="203-cluster-prod-a", spec=specs_pb2.ConfigPatchSpec(data=stands))]

    (update,) = planned(spec, live).updates

    assert update.desired.spec.data == (asked if changes else stands)
    assert MARK.owns(update.desired)
    read = inputs_of([*rest, replace(update.desired, spec=live[-1].spec)], mark=MARK, previous=spec)
    assert (read == to_wire(spec)) is not changes
