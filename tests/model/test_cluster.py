"""The cluster model: what is accepted, what is refused and how, and what is written back."""

from __future__ import annotations

from typing import Any

import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.parse import InvalidCluster, duration, format_duration, parse_cluster, to_wire
from ksail_pulumi.problems import CONTROL_CHARACTERS

ONE = "10001802-c798-4da7-a410-f09abb48c8d8"
TWO = "10011802-c798-4da7-a410-f09abb48c8d8"


def problems(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "prod", **data})
    fields = [problem.field for problem in caught.value.problems]
    assert len(fields) == len(set(fields)), "one problem for a field"
    return {problem.field: problem.reason for problem in caught.value.problems}


def test_a_name_is_a_cluster_of_one_control_plane_machine() -> None:
    spec = parse_cluster({"name": "prod"})

    assert [(each.id("prod"), each.wanted) for each in spec.machine_sets] == [("prod-control-planes", 1)]
    assert spec.kubernetes_version is None
    assert spec.wait_for == "ready"
    assert spec.on_delete.disconnected_machines == "fail"
    assert to_wire(spec) == {"name": "prod"}


def test_whole_floats_are_integers_also_inside_patches() -> None:
    spec = parse_cluster(
        {
            "name": "prod",
            "controlPlane": {"count": 3.0},
            "workers": 2.0,
            "patches": [{"name": "p", "inline": {"machine": {"sysctls": {"a": 1.0, "b": 0.5}}}}],
        }
    )

    assert to_wire(spec) == {
        "name": "prod",
        "controlPlane": {"count": 3},
        "workers": 2,
        "patches": [{"name": "p", "inline": {"machine": {"sysctls": {"a": 1, "b": 0.5}}}}],
    }


@pytest.mark.parametrize("spelling", ["1.36.3", "v1.36.3"])
def test_versions_lose_their_v(spelling: str) -> None:
    assert parse_cluster({"name": "prod", "kubernetesVersion": spelling}).kubernetes_version == "1.36.3"


@pytest.mark.parametrize(("workers", "wire"), [(0, 0), (3, 3), ([{"count": 3}], 3), ([], 0)])
def test_a_number_of_workers_is_one_default_set(workers: Any, wire: Any) -> None:
    spec = parse_cluster({"name": "prod", "workers": workers})

    assert to_wire(spec)["workers"] == wire
    assert [each.id("prod") for each in spec.workers] == (["prod-workers"] if wire else [])


def test_worker_sets_are_called_after_their_names() -> None:
    spec = parse_cluster({"name": "prod", "workers": [{"count": 1}, {"name": "gpu", "count": 2}]})

    assert [each.id("prod") for each in spec.workers] == ["prod-workers", "prod-gpu"]
    assert to_wire(spec)["workers"] == [{"count": 1}, {"name": "gpu", "count": 2}]


@pytest.mark.parametrize("spelling", ["unlimited", "Unlimited", "infinity", "∞"])
def test_a_machine_class_may_be_unlimited(spelling: str) -> None:
    spec = parse_cluster({"name": "prod", "workers": [{"machineClass": {"name": "big", "size": spelling}}]})

    assert spec.workers[0].machine_class is not None
    assert spec.workers[0].machine_class.size == "unlimited"
    assert spec.workers[0].wanted is None


def test_unset_null_and_empty_are_told_apart() -> None:
    assert to_wire(parse_cluster({"name": "prod", "labels": None, "patches": None})) == {"name": "prod"}
    assert to_wire(parse_cluster({"name": "prod", "labels": {}, "patches": []})) == {
        "name": "prod",
        "labels": {},
        "patches": [],
    }


def test_a_null_inside_a_patch_is_kept() -> None:
    spec = parse_cluster({"name": "prod", "patches": [{"name": "p", "inline": {"machine": {"kubelet": None}}}]})

    assert to_wire(spec)["patches"][0]["inline"] == {"machine": {"kubelet": None}}


def test_parsing_what_was_written_gives_the_same() -> None:
    data = {
        "name": "prod",
        "talosVersion": "1.13.8",
        "workers": [
            {"name": "a", "machines": [ONE]},
            {"machineClass": {"name": "big", "size": 2}, "labels": {"x": "y"}},
        ],
        "machines": {ONE: {"labels": {"rack": "1"}, "patches": [{"idOverride": "zz", "inline": "machine: {}\n#\n"}]}},
        "kubeconfig": {"ttl": "24h", "groups": []},
        "talosconfig": False,
        "waitFor": "running",
        "onDelete": {"disconnectedMachines": "remove"},
    }
    data["machines"][ONE]["patches"][0]["inline"] = "machine: {sysctls: {a: b}}\n"  # type: ignore[index]

    wire = to_wire(parse_cluster(data))

    assert wire == data
    assert to_wire(parse_cluster(wire)) == wire


def test_every_field_that_is_wrong_is_told_at_once_with_its_path() -> None:
    found = problems(
        {
            "kubernetesVersion": 1.36,
            "talosVersion": "latest",
            "workerz": 3,
            "controlPlane": {"patchs": []},
            "workers": [{"count": -1}, {"machineClass": {"name": "x", "size": "many"}}, 7],
            "labels": {"a.b/c": 1},
            "waitFor": "soon",
            "kubeconfig": {"ttl": "30d"},
            "talosconfig": "perhaps",
        }
    )

    assert found == {
        "kubernetesVersion": "should be a string, not the number 1.36",
        "talosVersion": "version should be in semver format, like 1.36.3",
        "workerz": "unknown field; did you mean workers?",
        "controlPlane.patchs": "unknown field; did you mean patches?",
        "workers[0].count": "should be 0 or more",
        "workers[1].machineClass.size": 'invalid machine count: it should be a whole number or unlimited, not "many"',
        "workers[2]": "should be a mapping, not the number 7",
        'labels["a.b/c"]': "should be a string, not a number",
        "waitFor": "should be 'ready', 'running' or 'none', not \"soon\"",
        "kubeconfig.ttl": '"30d" is not a duration: write it like 720h, 90m or 1h30m',
        "talosconfig": 'should be true or false, not "perhaps"',
    }


def test_an_unknown_field_without_a_likely_meaning_lists_the_known_ones() -> None:
    assert problems({"machines": {ONE: {"zzz": 1}}})[f"machines.{ONE}.zzz"].startswith(
        "unknown field; known fields: annotat"
    )


def test_the_error_is_an_input_error_that_names_all_fields() -> None:
    with pytest.raises(InputError) as caught:
        parse_cluster({"name": "a b", "controlPlane": {"count": 0}})

    assert str(caught.value) == (
        "name: name should only contain letters, digits, dashes and underscores\n"
        "controlPlane.count: control plane machine set must have at least one node"
    )


RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "name is required"),
    ({"name": "a.b"}, "name", "name should only contain letters, digits, dashes and underscores"),
    (
        {"labels": {"omni.sidero.dev/x": ""}},
        'labels["omni.sidero.dev/x"]',
        'label "omni.sidero.dev/x" is invalid: prefix "omni.sidero.dev/" is reserved for internal use',
    ),
    (
        {"workers": [{"annotations": {"omni.sidero.dev/x": ""}}]},
        'workers[0].annotations["omni.sidero.dev/x"]',
        'annotation "omni.sidero.dev/x" is invalid: prefix "omni.sidero.dev/" is reserved for internal use',
    ),
    ({"labels": {"a": "b\nc"}}, "labels.a", "must not contain control characters or line breaks"),
    (
        {"controlPlane": {"machines": []}},
        "controlPlane.machines",
        "control plane machine set must have at least one node",
    ),
    (
        {"workers": [{"machines": [ONE], "machineClass": {"name": "x", "size": 1}}]},
        "workers[0]",
        "machine set can not have both machines and machine class defined",
    ),
    (
        {"workers": [{"machines": [ONE], "count": 1}]},
        "workers[0].count",
        "count and machines are mutually exclusive: keep one of them",
    ),
    (
        {"workers": [{"machineClass": {"name": "x", "size": 1}, "count": 1}]},
        "workers[0].count",
        "count and machineClass are mutually exclusive: keep one of them",
    ),
    (
        {"workers": [{"machines": [ONE], "selector": "a"}]},
        "workers[0].selector",
        "selector can only be used with count",
    ),
    (
        {"workers": [{"selector": "a in"}]},
        "workers[0].selector",
        "is not a valid label selector: syntax error at character 1",
    ),
    ({"controlPlane": {"machines": ["x"]}}, "controlPlane.machines[0]", 'invalid machine ID "x": it should be a UUID'),
    ({"machines": {"x y": {}}}, 'machines["x y"]', 'invalid machine ID "x y": it should be a UUID'),
    ({"workers": [{"name": "control-planes"}]}, "workers[0].name", 'name "control-planes" cannot be used in workers'),
    ({"workers": [{"name": ""}]}, "workers[0].name", "cannot be empty; omit it for the default set"),
    ({"workers": [{}, {"name": "workers"}]}, "workers[1].name", 'duplicate workers with name "workers"'),
    (
        {"workers": [{"machines": [ONE]}, {"name": "b", "machines": [ONE]}]},
        "workers[1].machines[0]",
        f'machine "{ONE}" is used in multiple workers: it is in workers[0].machines[0] already',
    ),
    (
        {"controlPlane": {"machines": [ONE]}, "workers": [{"machines": [ONE]}]},
        "workers[0].machines[0]",
        f'machine "{ONE}" is used in both controlplane and workers',
    ),
    ({"controlPlane": {"machines": [ONE, ONE]}}, "controlPlane.machines[1]", f'machine "{ONE}" is listed twice'),
    (
        {"controlPlane": {"machines": [ONE]}, "machines": {TWO: {}}},
        f"machines.{TWO}",
        f'machine "{TWO}" is not used in controlplane or workers',
    ),
    ({"controlPlane": {"name": "x"}}, "controlPlane.name", "custom name is not allowed in the controlplane"),
    (
        {"controlPlane": {"updateStrategy": {"type": "Unset"}}},
        "controlPlane.updateStrategy",
        "updateStrategy is not allowed in the controlplane",
    ),
    (
        {"controlPlane": {"deleteStrategy": {"type": "Unset"}}},
        "controlPlane.deleteStrategy",
        "deleteStrategy is not allowed in the controlplane",
    ),
    (
        {"workers": [{"bootstrapSpec": {"clusterUUID": "a", "snapshot": "b"}}]},
        "workers[0].bootstrapSpec",
        "bootstrapSpec is not allowed in workers",
    ),
    (
        {"controlPlane": {"bootstrapSpec": {"clusterUUID": "", "snapshot": "b"}}},
        "controlPlane.bootstrapSpec.clusterUUID",
        "clusterUUID is required in bootstrapSpec",
    ),
    (
        {"controlPlane": {"bootstrapSpec": {"clusterUUID": "a", "snapshot": ""}}},
        "controlPlane.bootstrapSpec.snapshot",
        "snapshot is required in bootstrapSpec",
    ),
    (
        {"controlPlane": {"machineClass": {"name": "x", "size": 0}}},
        "controlPlane.machineClass.size",
        "control plane machine set must have at least one node",
    ),
    (
        {"workers": [{"updateStrategy": {"type": "Sometimes"}}]},
        "workers[0].updateStrategy.type",
        "invalid update strategy type: it should be 'Rolling' or 'Unset', not \"Sometimes\"",
    ),
    (
        {"workers": [{"deleteStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 0}}}]},
        "workers[0].deleteStrategy.rolling.maxParallelism",
        "should be 1 or more",
    ),
    (
        {"workers": [{"machineClass": {"name": "x", "size": 1}, "kernelArgs": ["a"]}]},
        "workers[0].kernelArgs",
        "kernelArgs cannot be defined for machine set since it uses machine class",
    ),
    (
        {"workers": [{"machineClass": {"name": "x", "size": 1}}], "kernelArgs": ["a"]},
        "kernelArgs",
        "kernelArgs cannot be defined at cluster level for this machine set since it uses a machine class: "
        "prod-workers",
    ),
    ({"kernelArgs": ["a"] * 65}, "kernelArgs", "args has too many entries: 65 (max 64)"),
    ({"kernelArgs": ["a", "b" * 257]}, "kernelArgs[1]", "args[1] is too long: 257 bytes (max 256)"),
    ({"controlPlane": {"kernelArgs": ["a\nb"]}}, "controlPlane.kernelArgs[0]", "args[0] contains a control character"),
    (
        {"systemExtensions": ["siderolabs/gvisor", "gvisor"]},
        "systemExtensions[1]",
        'extension "gvisor" (entry 1) is listed more than once',
    ),
    (
        {"systemExtensions": [str(number) for number in range(257)]},
        "systemExtensions",
        "extensions list has 257 entries, exceeds maximum of 256",
    ),
    (
        {"controlPlane": {"machines": [ONE]}, "machines": {ONE: {"locked": True}}},
        f"machines.{ONE}.locked",
        f'machine "{ONE}" is locked and used in controlplane',
    ),
    (
        {"machines": {ONE: {"install": {"disk": "/dev/vda", "diskSelector": "disk.size > 1u"}}}},
        f"machines.{ONE}.install",
        "install.disk and install.diskSelector are mutually exclusive: keep one of them",
    ),
    ({"machines": {ONE: {"install": {}}}}, f"machines.{ONE}.install", "either disk or diskSelector must be set"),
    (
        {"machines": {ONE: {"install": {"diskSelector": "size(disk.name"}}}},
        f"machines.{ONE}.install.diskSelector",
        "install.diskSelector is not a valid boolean disk expression: missing ')'",
    ),
    (
        {"machines": {ONE: {"install": {"diskSelector": "disk.name == 'a"}}}},
        f"machines.{ONE}.install.diskSelector",
        "install.diskSelector is not a valid boolean disk expression: unterminated string",
    ),
    (
        {"talosVersion": "1.4.8", "features": {"diskEncryption": True}},
        "features.diskEncryption",
        "disk encryption is supported only for Talos version >= 1.5.0",
    ),
    ({"backup": {"interval": "0s"}}, "backup.interval", "should be longer than 0; omit backup to disable backups"),
    ({"manifests": [{"mode": "full", "inline": []}]}, "manifests[0]", "kubernetes manifest name is empty"),
    (
        {"manifests": [{"name": "a", "inline": []}]},
        "manifests[0].mode",
        "kubernetes manifest mode is not set: it must be full or one-time",
    ),
    (
        {"manifests": [{"name": "a", "inline": [], "mode": "twice"}]},
        "manifests[0].mode",
        "unknown mode name: it should be 'full' or 'one-time'",
    ),
    (
        {"manifests": [{"name": "a", "mode": "full"}]},
        "manifests[0]",
        "file or inline is required",
    ),
    (
        {"manifests": [{"name": "a", "mode": "full", "inline": []}] * 2},
        "manifests[1].name",
        "duplicate manifest name: another manifest has the same name",
    ),
    (
        {"manifests": [{"name": "a", "mode": "full", "inline": "a: [\n"}]},
        "manifests[0].inline",
        "error converting manifest to JSON: line 2: did not find expected node content",
    ),
    (
        {"manifests": [{"name": "a", "mode": "full", "inline": [], "labels": {"omni.sidero.dev/x": ""}}]},
        'manifests[0].labels["omni.sidero.dev/x"]',
        'label "omni.sidero.dev/x" is invalid: prefix "omni.sidero.dev/" is reserved for internal use',
    ),
    ({"healthChecks": [{"job": {}}]}, "healthChecks[0]", "either name or idOverride is required for a healthcheck"),
    ({"healthChecks": [{"name": "a"}]}, "healthChecks[0].job", "job or file is required"),
    (
        {"healthChecks": [{"name": "a", "job": "- x\n"}]},
        "healthChecks[0].job",
        "invalid job manifest: expected a YAML document, a mapping that describes an object",
    ),
    (
        {"healthChecks": [{"name": "a", "job": {}}] * 2},
        "healthChecks[1]",
        "duplicate healthcheck: another health check has the same name or idOverride",
    ),
    (
        {"healthChecks": [{"name": "a", "job": {}, "interval": "4s"}]},
        "healthChecks[0].interval",
        "healthcheck interval must be at least 5s",
    ),
    (
        {
            "patches": [{"idOverride": "x", "inline": "machine: {a: b}"}],
            "workers": [{"patches": [{"idOverride": "x", "inline": "machine: {a: b}"}]}],
        },
        "workers[0].patches[0].idOverride",
        "resource ID duplicate: patches[0] has the same ID",
    ),
    ({"kubeconfig": {"ttl": "0s"}}, "kubeconfig.ttl", "should be longer than 0"),
    ({"kubeconfig": {"ttl": "87601h"}}, "kubeconfig.ttl", "is too long (max allowed: 87600h0m0s)"),
    (
        {"kubeconfig": {"ttl": "1h", "renewBefore": "2h"}},
        "kubeconfig.renewBefore",
        'should be shorter than ttl, which is "1h"',
    ),
    ({"kubeconfig": {"user": ""}}, "kubeconfig.user", "cannot be empty"),
    ({"kubeconfig": {"context": ""}}, "kubeconfig.context", "cannot be empty"),
    ({"kubeconfig": {"file": ""}}, "kubeconfig.file", "cannot be empty"),
    *(
        ({"kubeconfig": {field: f"a{character}b"}}, f"kubeconfig.{field}", CONTROL_CHARACTERS)
        for field, character in (("user", "\x1b"), ("context", "\n"), ("file", "\0"))
    ),
    (
        {"kubeconfig": {"context": "a\nb"}},
        "kubeconfig.context",
        "must not contain control characters or line breaks",
    ),
    (
        {"kubeconfig": {"form": "exec", "renewBefore": "1h"}},
        "kubeconfig.renewBefore",
        "has no effect with form 'exec', which never expires: remove it",
    ),
    ({"kubeconfig": {"renewBefore": "-1h"}}, "kubeconfig.renewBefore", "should be 0 or longer"),
    (
        {"annotations": {"ksail-pulumi/owner": "me"}},
        'annotations["ksail-pulumi/owner"]',
        'annotation "ksail-pulumi/owner" is invalid: prefix "ksail-pulumi/" is reserved for internal use',
    ),
    (
        {"controlPlane": {"machineClass": {"name": "", "size": 1}}},
        "controlPlane.machineClass.name",
        "cannot be empty: it is the name of a machine class in Omni",
    ),
    (
        {
            "patches": [{"idOverride": "400-prod-workers-b", "inline": {"cluster": {"discovery": {}}}}],
            "workers": [{"patches": [{"name": "b", "inline": {"cluster": {"discovery": {}}}}]}],
        },
        "workers[0].patches[0].name",
        "resource ID duplicate: patches[0] has the same ID",
    ),
    ({"workers": 10**12}, "workers[0].count", "should be 4294967295 or less"),
    ({"controlPlane": {"count": 1e300}}, "controlPlane.count", "should be a whole number, not the number 1e+300"),
    ({"backup": {"interval": "2600000h"}}, "backup.interval", '"2600000h" is too long'),
    (
        {"workers": [{"machineClass": {"name": "x", "size": 10**12}}]},
        "workers[0].machineClass.size",
        "invalid machine count: it should be a whole number or unlimited, not the number 1000000000000",
    ),
    (
        {"controlPlane": {"upgradeStrategy": {"rolling": {"maxParallelism": 10**12}}}},
        "controlPlane.upgradeStrategy.rolling.maxParallelism",
        "should be 4294967295 or less",
    ),
]


@pytest.mark.parametrize(
    ("data", "field", "reason"), RULES, ids=[f"{field}: {reason[:40]}" for _, field, reason in RULES]
)
def test_rule(data: dict[str, Any], field: str, reason: str) -> None:
    assert problems(data) == {field: reason}


def test_a_described_machine_may_be_one_that_is_found_by_count() -> None:
    assert parse_cluster({"name": "prod", "machines": {ONE: {}}}).machines.keys() == {ONE}


@pytest.mark.parametrize(
    ("ttl", "renewal"), [("720h", "168h"), ("24h", "6h"), ("1h", "15m")], ids=["a month", "a day", "an hour"]
)
def test_a_kubeconfig_is_renewed_well_before_its_end(ttl: str, renewal: str) -> None:
    spec = parse_cluster({"name": "prod", "kubeconfig": {"ttl": ttl}})

    assert spec.kubeconfig.renewal == duration(renewal)


@pytest.mark.parametrize(
    ("text", "seconds", "shortest"),
    [
        ("0", 0, "0s"),
        ("1h", 3600, "1h"),
        ("1h0m0s", 3600, "1h"),
        ("90m", 5400, "1h30m"),
        ("1.5s", 1.5, "1.5s"),
        ("250ms", 0.25, "0.25s"),
        ("-2m", -120, "-2m"),
        ("1h30m5s", 5405, "1h30m5s"),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float, shortest: str) -> None:
    assert duration(text).total_seconds() == seconds
    assert format_duration(duration(text)) == shortest


@pytest.mark.parametrize("text", ["", "5", "1d", "h", "1h 5m", "99999999999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|is too long"):
        duration(text)


CAPITALS = "4C4C4544-0044-4A10-8056-B4C04F564433"
SMALL = CAPITALS.lower()


def test_machine_ids_are_in_small_letters_wherever_they_are_written() -> None:
    spec = parse_cluster(
        {
            "name": "c",
            "controlPlane": {"machines": [CAPITALS]},
            "workers": [{"machines": ["4C4C4544-0044-4a10-8056-000000000000"]}],
            "machines": {CAPITALS: {"install": {"disk": "/dev/vda"}}},
        }
    )
    assert spec.control_plane.machines == (SMALL,)
    assert spec.workers[0].machines == ("4c4c4544-0044-4a10-8056-000000000000",)
    assert list(spec.machines) == [SMALL]


def test_what_is_no_uuid_keeps_its_spelling() -> None:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "c", "controlPlane": {"machines": ["Node-A"]}, "machines": {"Node-A": {}}})
    assert [str(problem) for problem in caught.value.problems] == [
        'controlPlane.machines[0]: invalid machine ID "Node-A": it should be a UUID',
        'machines.Node-A: invalid machine ID "Node-A": it should be a UUID',
    ]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        (
            {"controlPlane": {"machines": [SMALL, CAPITALS]}},
            f'controlPlane.machines[1]: machine "{SMALL}" is listed twice',
        ),
        (
            {"controlPlane": {"machines": [SMALL]}, "machines": {SMALL: {"locked": True}, CAPITALS: {}}},
            f'machines: machine "{SMALL}" is described more than once',
        ),
    ],
)
def test_a_machine_in_two_spellings_is_one_machine(inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "c", **inputs})
    assert [str(each) for each in caught.value.problems] == [problem]
