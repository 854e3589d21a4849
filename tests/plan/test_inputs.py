"""Reading inputs back from a live cluster: drift shows, everything else keeps its spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.inputs import inputs_of
from ksail_pulumi.plan.versions import Versions
from ksail_pulumi.spec.cluster import ClusterSpec, parse_cluster, to_wire

from .builders import MARK, VERSIONS, assigned, cluster_spec, desired, machine_id, node, pool

INLINE = {"machine": {"sysctls": {"a": "b"}}}
SPEC = cluster_spec(
    talosVersion="1.13.8",
    kubernetesVersion="1.36.3",
    controlPlane={"count": 1, "patches": [{"name": "cp", "inline": INLINE}]},
    workers=2,
    machines={
        machine_id(2): {"labels": {"rack": "1"}, "patches": [{"name": "m", "inline": "machine: {a: 1} # text\n"}]}
    },
    patches=[{"name": "p", "inline": INLINE}, {"idOverride": "zz", "inline": [INLINE], "description": "why"}],
    labels={"env": "dev"},
    kubeconfig={"ttl": "24h"},
    waitFor="running",
)


def edited(resources: list[Resource], resource_id: str, change: Callable[[Any], None]) -> list[Resource]:
    """The resources after somebody changed the spec of one of them."""

    def after(resource: Resource) -> Resource:
        spec = type(resource.spec)()
        spec.CopyFrom(resource.spec)
        change(spec)
        return replace(resource, spec=spec)

    return [after(each) if each.id == resource_id else each for each in resources]


def refreshed(resources: list[Resource], spec: ClusterSpec = SPEC) -> dict[str, Any]:
    """What a refresh changes in the inputs: the fields that differ."""
    before, after = to_wire(spec), inputs_of(resources, mark=MARK, previous=spec)
    return {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def foreign_patch(resource_id: str) -> Resource:
    spec = specs_pb2.ConfigPatchSpec(data="machine: {}\n")
    return Resource(omni.CONFIG_PATCH, resource_id, spec, {omni.LABEL_CLUSTER: "prod"})


def test_without_drift_the_inputs_are_what_they_were() -> None:
    assert refreshed(desired(SPEC)) == {}


def test_a_version_that_was_raised_in_omni_shows() -> None:
    assert refreshed(desired(SPEC, versions=Versions("1.13.9", "1.36.3"))) == {"talosVersion": "1.13.9"}


def test_versions_that_were_left_to_omni_stay_left_to_it() -> None:
    spec = cluster_spec(workers=1)

    assert refreshed(desired(spec, versions=Versions("1.99.0", "1.99.0")), spec) == {}


def test_a_set_with_a_count_shows_its_count_and_never_its_machines() -> None:
    live = [each for each in desired(SPEC) if each.id != machine_id(3)]

    assert refreshed(live) == {"workers": 1}
    assert refreshed([*desired(SPEC), node(8, "prod-workers")]) == {"workers": 3}


def test_a_set_with_named_machines_shows_them() -> None:
    spec = cluster_spec(workers=[{"machines": [machine_id(5), machine_id(4)]}])
    live = desired(spec)

    assert refreshed(live, spec) == {}
    assert refreshed([each for each in live if each.id != machine_id(5)], spec) == {
        "workers": [{"machines": [machine_id(4)]}]
    }
    assert refreshed([*live, node(3, "prod-workers")], spec) == {
        "workers": [{"machines": [machine_id(5), machine_id(4), machine_id(3)]}]
    }


def test_a_class_shows_its_size_and_not_its_machines() -> None:
    spec = cluster_spec(workers=[{"machineClass": {"name": "big", "size": 2}}])
    live = [*desired(spec), node(4, "prod-workers", by_class=True), node(5, "prod-workers", by_class=True)]

    def unlimited(message: Any) -> None:
        message.machine_allocation.machine_count = 0
        message.machine_allocation.allocation_type = specs_pb2.MachineSetSpec.MachineAllocation.Unlimited

    assert refreshed(live, spec) == {}
    assert refreshed(edited(live, "prod-workers", unlimited), spec) == {
        "workers": [{"machineClass": {"name": "big", "size": "unlimited"}}]
    }


def test_a_patch_that_was_edited_shows_in_the_form_it_was_given() -> None:
    def edit(message: Any) -> None:
        message.data = "machine:\n    sysctls:\n        a: c\n"

    wire = to_wire(SPEC)
    changed = {"machine": {"sysctls": {"a": "c"}}}
    live = desired(SPEC)

    assert refreshed(edited(live, "200-cluster-prod-p", edit)) == {
        "patches": [{"name": "p", "inline": changed}, wire["patches"][1]]
    }
    assert refreshed(edited(live, "400-prod-control-planes-cp", edit)) == {
        "controlPlane": {"count": 1, "patches": [{"name": "cp", "inline": changed}]}
    }
    assert refreshed(edited(live, f"400-cm-{machine_id(2)}-m", edit))["machines"][machine_id(2)]["patches"] == [
        {"name": "m", "inline": "machine:\n    sysctls:\n        a: c\n"}
    ]


def test_a_patch_that_was_deleted_is_missing() -> None:
    live = [each for each in desired(SPEC) if each.id != "200-cluster-prod-p"]

    assert refreshed(live) == {"patches": [to_wire(SPEC)["patches"][1]]}


def test_what_others_added_does_not_show() -> None:
    foreign = [
        foreign_patch("ui-patch"),
        node(8, "prod-workers", mark=None),
        replace(foreign_patch("omnis"), owner="SomeController", annotations=MARK.annotations()),
        replace(foreign_patch("dying"), phase=omni.TEARING_DOWN, annotations=MARK.annotations()),
    ]
    labelled = [
        replace(each, labels={**each.labels, "team": "a"}, annotations={**each.annotations, "note": "x"})
        for each in desired(SPEC)
    ]

    assert refreshed([*labelled, *foreign]) == {}


def test_a_label_that_was_changed_or_removed_shows() -> None:
    live = desired(SPEC)

    assert refreshed([replace(each, labels={**each.labels, "env": "prod"}) for each in live]) == {
        "labels": {"env": "prod"}
    }
    assert refreshed([replace(live[0], labels={}), *live[1:]]) == {"labels": {}}


def test_a_set_that_was_removed_is_missing() -> None:
    live = [each for each in desired(SPEC) if "workers" not in each.labels.get(omni.LABEL_MACHINE_SET, each.id)]

    assert refreshed(live)["workers"] == 0


def test_a_control_plane_that_was_removed_shows_as_empty() -> None:
    live = [each for each in desired(SPEC) if each.id != "prod-control-planes"]

    assert refreshed(live)["controlPlane"]["count"] == 0


def test_import_reads_everything_that_a_user_made() -> None:
    live = [replace(each, annotations={**each.annotations, "note": "x"}) for each in desired(SPEC)]

    read = inputs_of([*live, foreign_patch("ui-patch")])

    assert read["name"] == "prod"
    assert read["talosVersion"] == "1.13.8"
    assert read["labels"] == {"env": "dev"}
    assert read["annotations"] == {"note": "x"}
    assert read["controlPlane"]["machines"] == [machine_id(1)]
    assert read["workers"] == [{"machines": [machine_id(2), machine_id(3)], "annotations": {"note": "x"}}]
    assert [patch.get("name", patch.get("idOverride")) for patch in read["patches"]] == ["p", "ui-patch", "zz"]
    assert read["patches"][0]["inline"] == INLINE
    assert read["machines"][machine_id(2)]["labels"] == {"rack": "1"}


def test_a_cluster_that_is_not_there_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="no cluster"):
        inputs_of([foreign_patch("x")])


names = st.text("abcdefgh-0123456789", min_size=1, max_size=6)
entries = st.dictionaries(names, names, max_size=2)
inlines = st.one_of(
    st.dictionaries(names, names | st.integers(0, 9), min_size=1, max_size=2).map(lambda each: {"machine": each}),
    st.dictionaries(names, names, min_size=1, max_size=2).map(lambda each: [{"machine": each}]),
    st.sampled_from(["machine: {a: b}\n", "# why\nmachine:\n    a: b\n", "machine:\n    a: b\n"]),
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


patches = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": names, "inline": inlines}, optional={"description": names, "labels": entries}),
        st.fixed_dictionaries(
            {"idOverride": names, "inline": inlines}, optional={"name": names, "annotations": entries}
        ),
    ),
    max_size=3,
)
described = {"labels": entries, "annotations": entries, "patches": patches}


@st.composite
def specs(draw: st.DrawFn) -> ClusterSpec:
    """A valid spec of a cluster with all kinds of sets."""
    numbers = iter(range(1, 50))

    def machine_set(*, least: int) -> dict[str, Any]:
        size = draw(st.integers(least, 3))
        kind = draw(st.sampled_from(["default", "count", "machines", "class"]))
        members: dict[str, Any] = {
            "default": {},
            "count": {"count": size},
            "machines": {"machines": [machine_id(next(numbers)) for _ in range(size)]},
            "class": {"machineClass": {"name": "big", "size": draw(st.sampled_from([size, "unlimited"]))}},
        }[kind]
        return {**members, **draw(optional(**described))}

    workers = [{"name": name, **machine_set(least=0)} for name in draw(st.lists(names, max_size=2, unique=True))]
    data = {
        "name": "prod",
        "controlPlane": machine_set(least=1),
        "workers": draw(st.sampled_from([0, 2, workers, [*workers, machine_set(least=0)]])),
        **draw(optional(**described, talosVersion=st.just("1.13.8"), kubernetesVersion=st.just("1.36.3"))),
    }
    sets = [data["controlPlane"], *(data["workers"] if isinstance(data["workers"], list) else [])]
    if used := [machine for each in sets for machine in each.get("machines", ())]:
        data["machines"] = draw(st.dictionaries(st.sampled_from(used), optional(**described), max_size=2))
    _unique_ids([data, *sets, *data.get("machines", {}).values()])
    return parse_cluster(data)


def _unique_ids(scopes: list[dict[str, Any]]) -> None:
    """Number the patches' own IDs: two patches with one ID are one resource."""
    for number, scope in enumerate(scopes):
        for index, patch in enumerate(scope.get("patches", [])):
            if "idOverride" in patch:
                scope["patches"][index] = {**patch, "idOverride": f"{patch['idOverride']}-{number}-{index}"}


@settings(deadline=None)
@given(specs())
def test_a_refresh_right_after_an_up_changes_nothing(spec: ClusterSpec) -> None:
    live = desired(spec, assigned(spec, pool(60)))

    assert inputs_of(live, mark=MARK, previous=spec) == to_wire(spec)
    assert inputs_of(live, previous=spec) == to_wire(spec)


@settings(deadline=None)
@given(specs())
def test_what_is_imported_stands_for_the_same_resources(spec: ClusterSpec) -> None:
    live = desired(spec, assigned(spec, pool(60)))

    read = parse_cluster(inputs_of(live, mark=MARK))
    again = desired(read, assigned(read, []), VERSIONS)

    assert sorted(map(str, again)) == sorted(map(str, live))
    by_key = {str(each): each for each in live}
    assert all(by_key[str(each)] == each for each in again)
