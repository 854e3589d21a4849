"""What a preview says of a cluster that is taken over: what stays, who wins, and what changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.model.parse import ClusterSpec
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.findings import findings
from ksail_pulumi.plan.snapshot import Snapshot

from .builders import CATALOG, MARK, cluster_spec, desired, machine, machine_id

RUNS = Versions("1.13.8", "1.35.7")
TAKEN = "cluster prod exists and is taken over"
REMEDY = 'to remove what stays, set ownership="exclusive" or delete it in Omni'
TEXT = "machine:\n  sysctls:\n    a: b\n"
REINDENTED = "machine:\n    sysctls:\n        a: b\n"


def spec(**inputs: Any) -> ClusterSpec:
    return cluster_spec(talosVersion=RUNS.talos, kubernetesVersion=RUNS.kubernetes, **inputs)


def patches(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "inline": TEXT} for name in names]


def foreign(
    resource_id: str, scope: Mapping[str, str] | None = None, kind: omni.ResourceType = omni.CONFIG_PATCH, **more: Any
) -> Resource:
    message = specs_pb2.ConfigPatchSpec(data="machine: {}\n") if kind == omni.CONFIG_PATCH else kind.spec()
    return Resource(kind, resource_id, message, {omni.LABEL_CLUSTER: "prod", **(scope or {})}, version=1, **more)


def told(asked: ClusterSpec, live: Sequence[Resource], *, old: ClusterSpec | None = None) -> list[str]:
    """What the preview of a takeover says about a cluster of which `live` stands in Omni."""
    nodes = [each for each in live if each.type == omni.MACHINE_SET_NODE]
    held = {each.id for each in nodes}
    statuses = [machine(number, cluster="prod" if machine_id(number) in held else "") for number in range(1, 6)]
    snapshot = Snapshot(resources=live, statuses=statuses, nodes=nodes, talos_versions=CATALOG)
    found = findings(asked, snapshot, mark=MARK, previous=old, adopt=True)
    assert found.failures == ()
    return list(found.forecasts)


def unmarked(resources: Sequence[Resource], numbers: Mapping[str, str] | None = None) -> list[Resource]:
    """Resources as a tool without our mark has made them, under other IDs and in another layout."""

    def one(each: Resource) -> Resource:
        annotations = {key: value for key, value in each.annotations.items() if key not in MARK.annotations()}
        message = specs_pb2.ConfigPatchSpec(data=REINDENTED) if each.type == omni.CONFIG_PATCH else each.spec
        return replace(each, id=(numbers or {}).get(each.id, each.id), annotations=annotations, spec=message, version=1)

    return [one(each) for each in resources]


PATCHED = spec(
    workers=1,
    patches=patches("a", "b"),
    controlPlane={"count": 1, "patches": patches("c")},
    machines={machine_id(2): {"patches": patches("d")}},
)


def test_a_cluster_that_differs_in_numbers_and_layout_only_is_taken_over_without_a_change() -> None:
    numbers = {
        "201-cluster-prod-b": "203-cluster-prod-b",
        "400-prod-control-planes-c": "401-prod-control-planes-c",
        f"400-cm-{machine_id(2)}-d": f"402-cm-{machine_id(2)}-d",
    }

    assert told(PATCHED, unmarked(desired(PATCHED, versions=RUNS), numbers)) == [TAKEN]


def test_a_patch_that_the_program_has_otherwise_is_changed_under_the_number_that_it_has() -> None:
    live = unmarked(desired(spec(patches=patches("a")), versions=RUNS), {"200-cluster-prod-a": "203-cluster-prod-a"})

    assert told(spec(patches=[{"name": "a", "inline": "machine:\n  sysctls:\n    a: c\n"}]), live) == [
        TAKEN,
        "changes patch 203-cluster-prod-a on all machines of the cluster; they reboot if Talos requires it",
    ]


def test_a_patch_that_cannot_keep_its_number_is_renumbered() -> None:
    numbers = {"200-cluster-prod-a": "204-cluster-prod-a", "201-cluster-prod-b": "203-cluster-prod-b"}
    live = unmarked(desired(spec(patches=patches("a", "b")), versions=RUNS), numbers)
    line = (
        "renumbers patch 204-cluster-prod-a to 200-cluster-prod-a on all machines of the cluster; they reboot if Talos "
        "requires it"
    )

    assert told(spec(patches=patches("a", "b")), live) == [TAKEN, line]
    assert told(spec(patches=patches("a", "b"), ownership="exclusive"), live) == [TAKEN, line]


def test_one_of_the_same_name_beside_it_is_renumbered_to_it() -> None:
    live = unmarked(desired(spec(patches=patches("a")), versions=RUNS))
    live.append(foreign("209-cluster-prod-a"))

    assert told(spec(patches=patches("a")), live) == [
        TAKEN,
        "renumbers patch 209-cluster-prod-a to 200-cluster-prod-a on all machines of the cluster; they reboot if Talos "
        "requires it",
    ]


def test_manifests_are_renumbered_like_patches() -> None:
    asked = spec(manifests=[{"name": name, "mode": "full", "inline": {"kind": "Namespace"}} for name in ("a", "b")])
    numbers = {"200-cluster-prod-a": "204-cluster-prod-a", "201-cluster-prod-b": "203-cluster-prod-b"}

    assert told(asked, unmarked(desired(asked, versions=RUNS), {"201-cluster-prod-b": "205-cluster-prod-b"})) == [TAKEN]
    assert told(asked, unmarked(desired(asked, versions=RUNS), numbers)) == [
        TAKEN,
        "renumbers manifest 204-cluster-prod-a to 200-cluster-prod-a",
    ]


WORKERS, CONTROL_PLANES = ({omni.LABEL_MACHINE_SET: f"prod-{name}"} for name in ("workers", "control-planes"))
FIRST, SECOND = ({omni.LABEL_CLUSTER_MACHINE: machine_id(number)} for number in (1, 2))


@pytest.mark.parametrize(
    ("resource_id", "scope", "verdict"),
    [
        ("150-x", {}, ": it loses to 200-cluster-prod-a, 201-cluster-prod-b, 400-prod-control-planes-c, {d}"),
        (
            "200-cluster-prod-aa",
            {},
            ": it wins over 200-cluster-prod-a and loses to 201-cluster-prod-b, 400-prod-control-planes-c, {d}",
        ),
        (
            "500-x",
            {},
            ": it wins over 200-cluster-prod-a, 201-cluster-prod-b and loses to 400-prod-control-planes-c, {d}",
        ),
        ("000-x", WORKERS, ": it wins over 200-cluster-prod-a, 201-cluster-prod-b and loses to {d}"),
        (
            "999-x",
            CONTROL_PLANES,
            ": it wins over 200-cluster-prod-a, 201-cluster-prod-b, 400-prod-control-planes-c",
        ),
        ("000-x", FIRST, ": it wins over 200-cluster-prod-a, 201-cluster-prod-b, 400-prod-control-planes-c"),
        ("000-x", SECOND, ": it wins over 200-cluster-prod-a, 201-cluster-prod-b and loses to {d}"),
        ("999-x", SECOND, ": it wins over 200-cluster-prod-a, 201-cluster-prod-b, {d}"),
    ],
)
def test_a_patch_that_stays_is_named_with_who_wins(resource_id: str, scope: dict[str, str], verdict: str) -> None:
    live = [*unmarked(desired(PATCHED, versions=RUNS)), foreign(resource_id, scope)]

    assert told(PATCHED, live) == [
        TAKEN,
        f"patch {resource_id} is not in this program and stays" + verdict.format(d=f"400-cm-{machine_id(2)}-d"),
        REMEDY,
    ]


def test_a_patch_that_meets_none_of_ours_just_stays() -> None:
    asked = spec(workers=1, controlPlane={"count": 1, "patches": patches("c")})
    live = [*unmarked(desired(asked, versions=RUNS)), foreign("500-x", WORKERS), foreign("501-x", SECOND)]

    assert told(asked, live)[1:3] == [
        "patch 500-x is not in this program and stays",
        "patch 501-x is not in this program and stays",
    ]


def test_a_patch_that_is_disabled_wins_over_nothing() -> None:
    live = [*unmarked(desired(PATCHED, versions=RUNS)), foreign("500-x", {omni.LABEL_DISABLED: ""})]

    assert told(PATCHED, live)[1] == "patch 500-x is not in this program and stays: it is disabled"


def test_of_lists_of_extensions_the_nearest_to_a_machine_wins() -> None:
    asked = spec(workers=[{"count": 1, "systemExtensions": ["gvisor"]}])
    live = [
        *unmarked(desired(asked, versions=RUNS)),
        foreign("schematic-prod", kind=omni.EXTENSIONS_CONFIGURATION),
        foreign("schematic-prod-control-planes", CONTROL_PLANES, omni.EXTENSIONS_CONFIGURATION),
        foreign(f"schematic-{machine_id(2)}", SECOND, omni.EXTENSIONS_CONFIGURATION),
    ]

    line = "list of system extensions {} is not in this program and stays"
    assert told(asked, live)[1:] == [
        line.format(f"schematic-{machine_id(2)}") + ": it wins over schematic-prod-workers",
        line.format("schematic-prod") + ": it loses to schematic-prod-workers",
        line.format("schematic-prod-control-planes"),
        REMEDY,
    ]


def test_a_manifest_that_stays_is_named() -> None:
    asked = spec(manifests=[{"name": "a", "mode": "full", "inline": {"kind": "Namespace"}}])
    live = [*unmarked(desired(asked, versions=RUNS)), foreign("mine", kind=omni.KUBERNETES_MANIFEST_GROUP)]

    assert told(asked, live) == [TAKEN, "manifest mine is not in this program and stays", REMEDY]


def test_what_goes_or_is_omnis_own_does_not_stay() -> None:
    live = [
        *unmarked(desired(spec(), versions=RUNS)),
        foreign("dying", phase=omni.TEARING_DOWN),
        foreign("omnis", owner="SomeController"),
        foreign("ours", annotations=MARK.annotations()),
    ]

    assert told(spec(), live)[1:] == [
        "removes patch ours from all machines of the cluster; they reboot if Talos requires it"
    ]


def test_with_exclusive_ownership_nothing_stays() -> None:
    lines = told(spec(ownership="exclusive"), [*unmarked(desired(spec(), versions=RUNS)), foreign("500-x")])

    assert lines[1].startswith("removes patch 500-x from")
    assert [line for line in lines if "stays" in line] == []


def test_only_a_takeover_names_what_stays() -> None:
    live = [*desired(spec(), versions=RUNS), foreign("500-x")]

    assert told(spec(), live, old=spec()) == []
    assert told(spec(), live)[0] == "patch 500-x is not in this program and stays", "the takeover was interrupted"


def test_much_that_stays_is_counted() -> None:
    asked = spec(patches=patches(*"abcdefghijkl"))
    live = [*unmarked(desired(asked, versions=RUNS)), *(foreign(f"{500 + number}-x") for number in range(23))]

    lines = told(asked, live)

    named = ", ".join(f"{200 + index}-cluster-prod-{name}" for index, name in enumerate("abcdefghij"))
    assert lines[1] == f"patch 500-x is not in this program and stays: it wins over {named} and 2 more"
    assert len(lines) == 1 + 10 + 2
    assert lines[-2:] == ["and 13 more", REMEDY]
