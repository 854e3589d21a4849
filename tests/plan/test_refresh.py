"""Reading inputs back from a live cluster: drift shows, everything else keeps its spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.model.parse import ClusterSpec, parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.refresh import refreshed_inputs

from .builders import MARK, assigned, cluster_spec, desired, inputs_of, machine_id, node, pool

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


def test_without_drift_every_field_keeps_the_spelling_of_the_user() -> None:
    wire = {
        "name": "prod",
        "talosVersion": "v1.13.8",
        "controlPlane": {"count": 1.0},
        "workers": [{"name": "workers", "count": 2.0}],
        "features": {"diskEncryption": False},
        "backup": {"interval": "5400s"},
        "addons": {"certManager": True, "cni": {"name": "cilium"}},
        "manifests": [{"name": name, "mode": "full", "inline": "kind: Namespace # why\n"} for name in ("b", "a")],
        "healthChecks": [{"name": "h", "job": {"kind": "Job"}, "interval": "60s"}],
    }
    spec = parse_cluster(wire)
    live = desired(spec)

    assert refreshed_inputs(live, wire, spec, MARK) == wire
    drifted = refreshed_inputs(
        edited(live, "prod", lambda message: message.ClearField("talos_version")), wire, spec, MARK
    )
    assert {key for key, value in drifted.items() if value != wire[key]} == {"talosVersion"}


def test_manifests_in_another_order_show_in_that_order() -> None:
    spec = cluster_spec(
        manifests=[{"name": name, "mode": "full", "inline": "kind: Namespace # why\n"} for name in ("a", "b", "c")]
    )
    numbers = {"200-cluster-prod-a": "209-cluster-prod-a", "202-cluster-prod-c": "gone"}
    live = [replace(each, id=numbers.get(each.id, each.id)) for each in desired(spec)]

    found = refreshed([each for each in live if each.id != "gone"], spec)

    assert [each["name"] for each in found["manifests"]] == ["b", "a"]
    assert found["manifests"][0] == to_wire(spec)["manifests"][1]


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


FULL = cluster_spec(
    talosVersion="1.13.8",
    controlPlane={"machines": [machine_id(1)], "upgradeStrategy": {"type": "Rolling"}},
    workers=[{"machines": [machine_id(2)], "deleteStrategy": {"type": "Rolling"}, "systemExtensions": ["a"]}],
    machines={machine_id(2): {"locked": True, "kernelArgs": ["a=b"], "install": {"disk": "/dev/vda"}}},
    kernelArgs=["console=ttyS0"],
    features={"enableWorkloadProxy": True},
    backup={"interval": "90m"},
    manifests=[{"name": "m", "mode": "full", "inline": [{"kind": "Namespace"}]}],
    healthChecks=[{"name": "h", "job": "kind: Job\n", "interval": "60s"}],
    systemExtensions=["b"],
    locked=False,
)


def drift(resource_type: omni.ResourceType, resource_id: str, change: Callable[[Any], None]) -> dict[str, Any]:
    """What shows after somebody changed the spec of one resource."""
    live = [
        edited([each], each.id, change)[0] if (each.type, each.id) == (resource_type, resource_id) else each
        for each in desired(FULL)
    ]
    return refreshed(live, FULL)


def test_every_part_that_was_changed_by_hand_shows() -> None:
    def proxy_off(message: Any) -> None:
        message.features.enable_workload_proxy = False
        message.features.enable_node_audit_skip = True

    def rarer(message: Any) -> None:
        message.backup_configuration.interval.seconds = 7200

    def extensions(message: Any) -> None:
        message.extensions.append("c")

    def args(message: Any) -> None:
        message.args[:] = ["c=d"]

    def once(message: Any) -> None:
        message.mode = specs_pb2.KubernetesManifestGroupSpec.ONE_TIME
        message.data = "kind: Namespace\n---\nkind: Other\n"

    def job(message: Any) -> None:
        message.job = "kind: Job # new\n"
        message.ClearField("interval")

    def wider(message: Any) -> None:
        message.delete_strategy_config.rolling.max_parallelism = 4

    def disk(message: Any) -> None:
        message.disk = "/dev/vdb"

    wire = to_wire(FULL)
    (workers,), machine = wire["workers"], wire["machines"][machine_id(2)]
    assert refreshed(desired(FULL), FULL) == {}
    assert drift(omni.CLUSTER, "prod", proxy_off) == {
        "features": {"enableWorkloadProxy": False, "enableNodeAuditSkip": True}
    }
    assert drift(omni.CLUSTER, "prod", rarer) == {"backup": {"interval": "2h"}}
    assert drift(omni.CLUSTER, "prod", lambda message: message.ClearField("backup_configuration")) == {"backup": None}
    assert drift(omni.EXTENSIONS_CONFIGURATION, "schematic-prod", extensions) == {"systemExtensions": ["b", "c"]}
    assert drift(omni.EXTENSIONS_CONFIGURATION, "schematic-prod-workers", extensions) == {
        "workers": [{**workers, "systemExtensions": ["a", "c"]}]
    }
    assert drift(omni.KERNEL_ARGS, machine_id(2), args) == {
        "machines": {machine_id(2): {**machine, "kernelArgs": ["c=d"]}}
    }
    assert drift(omni.KERNEL_ARGS, machine_id(1), args) == {
        "machines": {machine_id(2): machine, machine_id(1): {"kernelArgs": ["c=d"]}}
    }
    assert drift(omni.KUBERNETES_MANIFEST_GROUP, "200-cluster-prod-m", once) == {
        "manifests": [{"name": "m", "mode": "one-time", "inline": [{"kind": "Namespace"}, {"kind": "Other"}]}]
    }
    assert drift(omni.KUBERNETES_HEALTH_CHECK, "cluster-prod-h", job) == {
        "healthChecks": [{"name": "h", "job": "kind: Job # new\n"}]
    }
    assert drift(omni.MACHINE_SET, "prod-workers", wider) == {
        "workers": [{**workers, "deleteStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 4}}}]
    }
    assert drift(omni.MACHINE_INSTALL_DISK_CONFIG, machine_id(2), disk) == {
        "machines": {machine_id(2): {**machine, "install": {"disk": "/dev/vdb"}}}
    }


def test_locks_show_only_where_the_inputs_speak_of_them() -> None:
    def live(*, unlock: str = "", lock: str = "") -> list[Resource]:
        marks = {omni.ANNOTATION_LOCKED: "", omni.ANNOTATION_CLUSTER_LOCKED: ""}
        return [
            replace(
                each,
                annotations={
                    **{key: value for key, value in each.annotations.items() if each.id != unlock or key not in marks},
                    **(marks if each.id == lock else {}),
                },
            )
            for each in desired(FULL)
        ]

    machines = to_wire(FULL)["machines"]
    assert refreshed(live(unlock=machine_id(2)), FULL) == {
        "machines": {machine_id(2): {**machines[machine_id(2)], "locked": False}}
    }
    assert refreshed(live(lock=machine_id(1)), FULL) == {}, "somebody locked a machine that the inputs leave alone"
    assert refreshed(live(lock="prod"), FULL) == {"locked": True}
    assert inputs_of(live(lock="prod"))["locked"] is True


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


# No fields of Talos: what Omni forbids in a patch (`ca`) cannot be imported.
names = st.text("bdfh-0123456789", min_size=1, max_size=6)
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
words = st.lists(names, max_size=2, unique=True)
described = {"labels": entries, "annotations": entries, "patches": patches, "systemExtensions": words}
strategy = st.one_of(
    st.just({"type": "Unset"}),
    st.fixed_dictionaries({}, optional={"type": st.just("Rolling"), "rolling": st.just({"maxParallelism": 2})}),
)
durations = st.sampled_from(["1h", "90m", "1h30m0s", "7200s"])
objects = st.one_of(
    st.dictionaries(names, names, max_size=2).map(lambda each: {"kind": "ConfigMap", "data": each}),
    st.dictionaries(names, names, max_size=2).map(lambda each: [{"kind": "ConfigMap", "data": each}]),
    st.sampled_from(["kind: A\n", "# why\nkind: A\ndata:\n    a: b\n"]),
)
manifests = st.lists(
    st.fixed_dictionaries(
        {"name": names, "mode": st.sampled_from(["full", "one-time"]), "inline": objects}, optional={"labels": entries}
    ),
    max_size=2,
    unique_by=lambda each: each["name"],
)
health_checks = st.lists(
    st.fixed_dictionaries(
        {"name": names.filter(lambda name: not name.endswith("-")), "job": inlines},
        optional={"interval": durations, "labels": entries},
    ),
    max_size=2,
    unique_by=lambda each: each["name"],
)
features = optional(**dict.fromkeys(("diskEncryption", "enableWorkloadProxy", "enableNodeAuditSkip"), st.booleans()))
whole_cluster = {
    **described,
    "talosVersion": st.just("1.13.8"),
    "kubernetesVersion": st.just("1.36.3"),
    "features": features,
    "backup": st.fixed_dictionaries({"interval": durations}),
    "manifests": manifests,
    "healthChecks": health_checks,
    "locked": st.booleans(),
    "ownership": st.sampled_from(["additive", "exclusive"]),
}
one_machine = {
    **described,
    "locked": st.just(False),
    "kernelArgs": words,
    "install": st.sampled_from([{"disk": "/dev/vda"}, {"diskSelector": "disk.size > 1u"}]),
}


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
        own = {**described, "upgradeStrategy": strategy, **({} if kind == "class" else {"kernelArgs": words})}
        if not least:
            own |= {"updateStrategy": strategy, "deleteStrategy": strategy}
        return {**members, **draw(optional(**own))}

    workers = [{"name": name, **machine_set(least=0)} for name in draw(st.lists(names, max_size=2, unique=True))]
    data = {
        "name": "prod",
        "controlPlane": machine_set(least=1),
        "workers": draw(st.sampled_from([0, 2, workers, [*workers, machine_set(least=0)]])),
        **draw(optional(**whole_cluster)),
    }
    sets = [data["controlPlane"], *(data["workers"] if isinstance(data["workers"], list) else [])]
    if used := [machine for each in sets for machine in each.get("machines", ())]:
        data["machines"] = draw(st.dictionaries(st.sampled_from(used), optional(**one_machine), max_size=2))
    if not any("machineClass" in each for each in sets):
        data |= draw(optional(kernelArgs=words))
    _unique_ids([data, *sets, *data.get("machines", {}).values()])
    return parse_cluster(data)


def _unique_ids(scopes: list[dict[str, Any]]) -> None:
    """Number the patches' own IDs: two patches with one ID are one resource."""
    for number, scope in enumerate(scopes):
        for index, patch in enumerate(scope.get("patches", [])):
            if "idOverride" in patch:
                scope["patches"][index] = {**patch, "idOverride": f"{patch['idOverride']}-{number}-{index}"}


@given(specs())
def test_a_refresh_right_after_an_up_changes_nothing(spec: ClusterSpec) -> None:
    live = desired(spec, assigned(spec, pool(60)))

    assert inputs_of(live, mark=MARK, previous=spec) == to_wire(spec)
    assert inputs_of(live, previous=spec) == to_wire(spec)


@given(specs())
def test_what_is_imported_stands_for_the_same_resources(spec: ClusterSpec) -> None:
    live = desired(spec, assigned(spec, pool(60)))

    read = parse_cluster(inputs_of(live, mark=MARK))
    again = desired(read, assigned(read, []))

    assert sorted(map(str, again)) == sorted(map(str, live))
    by_key = {str(each): each for each in live}
    assert all(by_key[str(each)] == each for each in again)
