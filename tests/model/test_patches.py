"""Patches: in every form, from files, and what is known to be refused before Omni is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ksail_pulumi.model.parse import InvalidCluster, parse_cluster, to_wire, with_files
from ksail_pulumi.model.patches import inline_of, lost_files, patch_problems, patch_text, same_configuration, sets_field
from ksail_pulumi.redaction import short
from ksail_pulumi.simulator.validations import talos_config

# What omnictl's own code makes of patches and says of them; the table is made by tools/go/omni-patches.
ANSWERS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "omni-patches.jsonl").read_text(encoding="utf-8").splitlines()
]
DATA = {"machine": {"sysctls": {"vm.max_map_count": "262144"}}}
TEXT = 'machine:\n    sysctls:\n        vm.max_map_count: "262144"\n'


def test_a_mapping_is_written_as_omnictl_writes_it() -> None:
    assert patch_text(DATA) == TEXT


def test_a_list_is_written_as_documents() -> None:
    assert patch_text([DATA, {"apiVersion": "v1alpha1", "kind": "HostnameConfig"}]) == (
        f"{TEXT}---\napiVersion: v1alpha1\nkind: HostnameConfig\n"
    )


def test_a_small_float_keeps_its_value() -> None:
    spec = parse_cluster({"name": "c", "patches": [{"name": "p", "inline": {"machine": {"sysctls": {"a": 1e-06}}}}]})

    assert spec.patches is not None
    assert patch_text(spec.patches[0].inline) == "machine:\n    sysctls:\n        a: 1e-06\n"


def test_text_is_passed_on_untouched() -> None:
    text = "# why\nmachine: {sysctls: {a: b}}   \n"

    spec = parse_cluster({"name": "c", "patches": [{"name": "p", "inline": text}]})

    assert spec.patches is not None
    assert patch_text(spec.patches[0].inline) == text


@pytest.mark.parametrize(
    "inline", [DATA, [DATA, {"kind": "HostnameConfig"}], "machine: {sysctls: {a: b}}\n", "- a\n", "["]
)
def test_reading_back_is_the_inverse_of_writing(inline: Any) -> None:
    assert patch_text(inline_of(patch_text(inline))) == patch_text(inline)


def test_what_omnictl_would_write_is_read_back_as_data() -> None:
    assert inline_of(TEXT) == DATA
    assert inline_of(f"{TEXT}---\nkind: A\n") == [DATA, {"kind": "A"}]
    assert inline_of("machine: {sysctls: {a: b}}\n") == "machine: {sysctls: {a: b}}\n"
    assert inline_of("a: 2020-01-01\n") == "a: 2020-01-01\n"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("machine:\n  sysctls:\n    a: b\n", "machine:\n    sysctls:\n        a: b\n"),
        ("machine: {sysctls: {a: b}}", "# why\n\nmachine:\n  sysctls:\n    a: 'b' # because\n"),
        ("b: [1, 2]\na: true\n", "a: true\nb:\n- 1\n- 2\n"),
        ("a:\nb: ~\n", "a: null\nb: Null\n"),
        ("a: |\n  x\n  y\n", 'a: "x\\ny\\n"\n'),
        ("---\na: 1\n---\n# nothing\n---\nkind: B\n", "a: 1\n---\nkind: B\n"),
        ("x: &x {b: c}\na: *x\nd: {<<: *x}\n", "x: {b: c}\na: {b: c}\nd: {b: c}\n"),
        ("a: yes\n", 'a: "yes"\n'),
        ("[", "["),
    ],
)
def test_layout_and_comments_are_no_configuration(left: str, right: str) -> None:
    assert same_configuration(left, right)
    assert same_configuration(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a: 1\n", 'a: "1"\n'),
        ("a: true\n", "a: 'true'\n"),
        ("a: 1.0\n", "a: 1\n"),
        ("a: 1.0\n", "a: 1.00\n"),
        ("a: 0x10\n", "a: 16\n"),
        ("a: 1\n", "a: true\n"),
        ("a:\n", "a: ''\n"),
        ("a: [1, 2]\n", "a: [2, 1]\n"),
        ("a: {}\n", "a: []\n"),
        ("a: {}\n", "a:\n"),
        ("a: b\n", "a: b\nc:\n"),
        ("a: |\n  x\n", "a: |-\n  x\n"),
        ("a: |\n  x\n\n  y\n", "a: |\n  x\n  y\n"),
        ("a: b\n---\nc: d\n", "a: b\nc: d\n"),
        ("[", "[ "),
        ("a: 1\na: 1\n", "a: 1\na:  1\n"),
        ("a: " + "[" * 200 + "]" * 200, "a:  " + "[" * 200 + "]" * 200),
    ],
)
def test_what_talos_would_read_otherwise_or_nobody_can_read_is_a_change(left: str, right: str) -> None:
    assert not same_configuration(left, right)
    assert not same_configuration(right, left)


REFUSED: list[tuple[Any, str, str]] = [
    ("", "inline", "config not found: the patch is empty"),
    ("\n\n", "inline", "config not found: the patch is empty"),
    ("{}\n", "inline", "config not found: the patch is empty"),
    ("# nothing\n", "inline", "config not found: the patch is empty"),
    ({}, "inline", "config not found: the patch is empty"),
    ([], "inline", "config not found: the patch is empty"),
    ("hello\n", "inline", "expected a YAML document, a mapping of Talos configuration"),
    ("- a\n", "inline", "expected a YAML document, a mapping of Talos configuration"),
    ("machine: [\n", "inline", "invalid YAML: line 2: did not find expected node content"),
    ("kind: {a: b}\n", "inline", "kind should be a string, the kind of a Talos document"),
    ({"kind": ["a"]}, "inline.kind", "kind should be a string, the kind of a Talos document"),
    ("machine:\n\tsysctls: {}\n", "inline", "invalid YAML: line 2: found character that cannot start any token"),
    (
        "- op: add\n  path: /machine\n",
        "inline",
        "JSON patches (RFC 6902) are not accepted by Omni: write the fields to change as a mapping",
    ),
    (
        [{"op": "add", "path": "/machine", "value": {}}],
        "inline[0]",
        "JSON patches (RFC 6902) are not accepted by Omni: write the fields to change as a mapping",
    ),
    ("machine:\n  type: null\n", "inline", 'overriding "machine.type" is not allowed in the config patch'),
    ({"cluster": {"id": ""}}, "inline.cluster.id", 'overriding "cluster.id" is not allowed in the config patch'),
    (
        {"cluster": {"controlPlane": {"endpoint": "https://a:6443"}}},
        "inline.cluster.controlPlane.endpoint",
        'overriding "cluster.controlPlane.endpoint" is not allowed in the config patch',
    ),
    (
        [{"kind": "HostnameConfig"}, {"machine": {"token": "x"}}],
        "inline[1].machine.token",
        'overriding "machine.token" is not allowed in the config patch',
    ),
    (
        {"machine": {"features": {"kubernetesTalosAPIAccess": {"allowedRoles": ["os:admin"]}}}},
        "inline.machine.features.kubernetesTalosAPIAccess.allowedRoles",
        'element "os:admin" is not allowed in field "machine.features.kubernetesTalosAPIAccess.allowedRoles"',
    ),
    (
        {"apiVersion": "v1alpha1", "kind": "KubeTalosAPIAccessConfig", "allowedRoles": ["os:admin"]},
        "inline.allowedRoles",
        'element "os:admin" is not allowed in field "allowedRoles"',
    ),
    (
        {"apiVersion": "v1alpha1", "kind": "KubeClusterConfig"},
        "inline",
        'the "KubeClusterConfig" document is not allowed in the config patch',
    ),
    (
        {"apiVersion": "v1alpha1", "kind": "KubeServiceAccountConfig", "issuer": {"privateKey": "x"}},
        "inline.issuer.privateKey",
        'overriding "issuer.privateKey" is not allowed in the config patch',
    ),
    (
        {"apiVersion": "v1", "kind": "ConfigMap"},
        "inline",
        "its kind is not registered: this is a Kubernetes object, not Talos configuration; use manifests",
    ),
    (
        "machine: {sysctls: {a: b}}\n---\nmachine: {sysctls: {c: d}}\n",
        "inline",
        "duplicate document is not allowed: another document has the same apiVersion, kind and name",
    ),
    (
        [{"apiVersion": "v1alpha1", "kind": "HostnameConfig", "hostname": name} for name in "ab"],
        "inline[1]",
        "duplicate document is not allowed: another document has the same apiVersion, kind and name",
    ),
]


@pytest.mark.parametrize(("inline", "field", "reason"), REFUSED)
def test_what_omni_refuses_is_told_with_its_field(inline: Any, field: str, reason: str) -> None:
    assert [(each.field, each.reason) for each in patch_problems(("inline",), inline)] == [(field, reason)]


@pytest.mark.parametrize(
    "inline",
    [
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        $patch: delete\n",
        "version: v1alpha1\nmachine: {sysctls: {a: b}}\n",
        "---\nmachine: {sysctls: {a: b}}\n",
        "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: foo\n",
        "machine: {install: {image: x}}\n",
        "machine: {features: {kubernetesTalosAPIAccess: {allowedRoles: [os:reader]}}}\n",
        {"debug": True},
        {"machine": None},
        "machine: {sysctls: {a: " + "1" * 5000 + "}}\n",
    ],
)
def test_what_omni_accepts_is_accepted(inline: Any) -> None:
    assert patch_problems("inline", inline) == []


@pytest.mark.parametrize("answer", ANSWERS, ids=[json.dumps(answer["inline"]) for answer in ANSWERS])
def test_a_patch_with_empty_documents_is_what_it_is_for_omnictl(answer: dict[str, Any]) -> None:
    inputs = {"name": "c", "patches": [{"name": "p", "inline": answer["inline"]}]}
    if answer["refusal"]:
        with pytest.raises(InvalidCluster) as caught:
            parse_cluster(inputs)
        (problem,) = caught.value.problems
        assert ("config not found" in problem.reason) == ("config not found" in answer["refusal"])
        assert ("duplicate document" in problem.reason) == ("duplicate document" in answer["refusal"])
    else:
        spec = parse_cluster(inputs)
        assert spec.patches is not None
        assert patch_text(spec.patches[0].inline) == answer["text"]


@pytest.mark.parametrize("text", sorted({answer["text"] for answer in ANSWERS}))
def test_the_simulator_says_of_empty_documents_what_omni_says(text: str) -> None:
    refusal = next(answer["refusal"] for answer in ANSWERS if answer["text"] == text)
    faults = talos_config.faults(text)
    assert bool(faults) == bool(refusal)
    assert all(fault in refusal for fault in faults)


@pytest.mark.parametrize(
    "more",
    [f"---\n---\n{TEXT}---\n", f"{TEXT}---\n{{}}\n", f"{TEXT}---\nnull\n", f"version: v1alpha1\n---\n{TEXT}"],
)
def test_empty_documents_are_no_configuration(more: str) -> None:
    assert same_configuration(TEXT, more)
    assert same_configuration(more, TEXT)
    assert patch_text(inline_of(more)) == more


def test_a_list_with_empty_documents_is_read_back_as_it_was_written() -> None:
    assert inline_of(patch_text([DATA, {}])) == [DATA, {}]


def test_a_field_is_found_beside_empty_documents() -> None:
    text = "---\n---\nmachine: {install: {disk: /dev/sda}}\n---\n"
    assert sets_field(text, "machine.install.disk")
    assert sets_field([{}, {"machine": {"install": {"disk": "/dev/sda"}}}], "machine.install.disk")
    assert not sets_field("---\nnull\n", "machine.install.disk")


def test_a_yaml_bomb_is_looked_at_without_being_unfolded() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60))

    bomb = f"machine: {{}}\na0: &a0 [x]\n{levels}\n"

    assert patch_problems("inline", bomb) == []
    assert inline_of(bomb) == bomb


def test_deep_nesting_is_an_error_or_fine_but_never_a_crash() -> None:
    assert isinstance(patch_problems(("inline",), "[" * 20_000), list)


def test_a_patch_needs_content_and_a_name() -> None:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "c", "controlPlane": {"patches": [{"name": "a"}, {"inline": DATA}]}})

    assert [str(problem) for problem in caught.value.problems] == [
        "controlPlane.patches[0]: file or inline is required",
        "controlPlane.patches[1]: either name or idOverride is required for inline patches",
    ]


def test_files_are_read_relative_to_the_base_and_give_their_path_as_name(tmp_path: Path) -> None:
    (tmp_path / "talos").mkdir()
    (tmp_path / "talos" / "a.yaml").write_text(TEXT, encoding="utf-8")

    spec = parse_cluster(
        {
            "name": "c",
            "patches": [{"file": "talos/a.yaml"}],
            "workers": [{"patches": [{"name": "own", "file": str(tmp_path / "talos" / "a.yaml")}]}],
        },
        base=tmp_path,
    )

    assert to_wire(spec)["patches"] == [{"name": "talos/a.yaml", "inline": TEXT}]
    assert to_wire(spec)["workers"] == [{"patches": [{"name": "own", "inline": TEXT}]}]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("{root}/patches/a.yaml", "patches/a.yaml"),
        ("{root}/patches/../patches/a.yaml", "patches/a.yaml"),
        ("{root}/../shared/a.yaml", "../shared/a.yaml"),
        ("{root}/../link/patches/a.yaml", "patches/a.yaml"),
        ("{root}/patches/link.yaml", "patches/link.yaml"),
        ("patches/a.yaml", "patches/a.yaml"),
        ("../shared/a.yaml", "../shared/a.yaml"),
        ("./patches/a.yaml", "./patches/a.yaml"),
    ],
)
@pytest.mark.parametrize("checkout", ["home/me/repo", "builds/7"])
def test_the_name_of_a_file_is_the_same_in_each_checkout(tmp_path: Path, checkout: str, file: str, name: str) -> None:
    root = tmp_path / checkout / "infra"
    for folder in (root / "patches", root.parent / "shared"):
        folder.mkdir(parents=True)
        (folder / "a.yaml").write_text(TEXT, encoding="utf-8")
    (root / "patches" / "link.yaml").symlink_to("../../shared/a.yaml")
    (root.parent / "link").symlink_to("infra")
    read = with_files({"patches": [{"file": file.format(root=root)}]}, root, root)
    assert read["patches"] == [{"name": name, "inline": TEXT}]


def test_a_path_that_has_nothing_in_common_with_the_project_is_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT, encoding="utf-8")
    elsewhere = {"patches": [{"file": str(tmp_path / "a.yaml")}]}
    assert with_files(elsewhere, root=Path("/no/such/project"))["patches"][0]["name"] == str(tmp_path / "a.yaml")
    assert with_files(elsewhere, tmp_path)["patches"][0]["name"] == str(tmp_path / "a.yaml")


def test_a_missing_file_is_told_along_with_everything_else(tmp_path: Path) -> None:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "a b", "patches": [{"file": "nope.yaml"}]}, base=tmp_path)

    assert [str(problem) for problem in caught.value.problems] == [
        "patches[0].file: failed to access the file: No such file or directory "
        f"(the path is relative to {short(str(tmp_path))})",
        "name: name should only contain letters, digits, dashes and underscores",
    ]


def test_manifests_and_jobs_are_read_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Namespace\n", encoding="utf-8")

    spec = parse_cluster(
        {
            "name": "c",
            "manifests": [{"file": "a.yaml", "mode": "full"}],
            "healthChecks": [{"name": "h", "file": "a.yaml"}],
        },
        base=tmp_path,
    )

    assert to_wire(spec)["manifests"] == [{"name": "a.yaml", "mode": "full", "inline": "kind: Namespace\n"}]
    assert to_wire(spec)["healthChecks"] == [{"name": "h", "job": "kind: Namespace\n"}]


def test_a_job_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidCluster, match="job and file are mutually exclusive"):
        with_files({"healthChecks": [{"name": "h", "job": {}, "file": "a.yaml"}]}, tmp_path)


def test_file_and_inline_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidCluster, match="file and inline are mutually exclusive"):
        with_files({"patches": [{"file": "a.yaml", "inline": DATA}]}, tmp_path)


def test_what_is_not_known_yet_is_left_alone_when_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT, encoding="utf-8")
    unknown = object()

    read = with_files(
        {"name": unknown, "workers": unknown, "machines": {"m": unknown}, "patches": [unknown, {"file": "a.yaml"}]},
        tmp_path,
    )

    assert read == {
        "name": unknown,
        "workers": unknown,
        "machines": {"m": unknown},
        "patches": [unknown, {"name": "a.yaml", "inline": TEXT}],
    }


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_text_that_would_end_the_process_is_a_problem(text: str) -> None:
    """libyaml calls itself for every level of nesting, in C."""
    (problem,) = patch_problems(("patches", 0, "inline"), text)
    assert problem.reason == "invalid YAML: values are nested more than 100 levels deep"
    assert inline_of(text) == text


def test_a_file_is_taken_as_it_is_and_not_beyond_all_measure(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"machine: {}\r\n")
    read = with_files({"patches": [{"file": "a.yaml"}]}, tmp_path)
    assert read["patches"] == [{"name": "a.yaml", "inline": "machine: {}\r\n"}]
    with pytest.raises(InvalidCluster, match="failed to access the file: it is larger than 4194304 bytes"):
        with_files({"patches": [{"file": "/dev/zero"}]}, tmp_path)
    with pytest.raises(InvalidCluster, match="failed to access the file: the file name is not valid"):
        with_files({"patches": [{"file": "~nobody-has-this-name/a"}]}, tmp_path)


@pytest.mark.parametrize(
    ("content", "lost"),
    [
        ("  a\nb\n", True),
        (" a\n b\n", True),
        (" a\n", True),
        ("\ta\nb\n", True),
        ("\n  a\n", True),  # read back without the indentation
        ("\na\nb\n", True),  # by go-yaml v3, the library of older releases of Talos
        ("a\n  b\n", False),
        ("a\n\tb\n", False),
        ("  a \nb\n", False),  # written in quotes
        (" a", False),
        ("a\n\n", False),
        ("", False),
    ],
)
def test_a_file_that_talos_cannot_read_back_is_known(content: str, lost: bool) -> None:
    """As Talos' own library (pkg/machinery v1.14.0-alpha.1) reads the configuration that it has written."""
    file = {"content": content, "path": "/var/a", "op": "create"}
    patch = {"machine": {"files": [{"content": "fine\n"}, file]}}
    assert lost_files(patch) == [1] * lost
    assert lost_files([{"kind": "HostnameConfig"}, patch]) == [1] * lost
    assert lost_files(json.dumps(patch)) == [1] * lost


def test_no_file_is_lost_where_there_is_none() -> None:
    for patch in ("a: [", {"machine": {"files": "none"}}, {"machine": {"files": ["none", {"content": 1}]}}, DATA):
        assert lost_files(patch) == []


LOADER = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "talos-loader.jsonl").read_text(encoding="utf-8").splitlines()
]
WORDS = (
    "for which $patch: delete is used",
    "config not found",
    "already defined at line",
    "into time.Duration",
    "missing kind",
    "missing apiVersion",
)
ASKED_OF_OMNI = WORDS[-2:]
"""What depends on the kinds of documents that Talos knows."""
ONLY_OMNI = {
    json.dumps("machine: {time: {bootTimeout: ''}}"),  # looks like null
    json.dumps(
        "machine: {network: {interfaces: [{interface: wg0, wireguard: "
        "{peers: [{publicKey: a, persistentKeepaliveInterval: 5}]}}]}}"
    ),
}


@pytest.mark.parametrize("answer", LOADER, ids=[json.dumps(answer["inline"]) for answer in LOADER])
def test_what_talos_cannot_load_is_refused_in_its_words(answer: dict[str, Any]) -> None:
    reasons = [problem.reason for problem in patch_problems((), answer["inline"])]
    words = next((words for words in WORDS if words in answer["refusal"]), "")
    if not answer["refusal"]:
        assert reasons == []
    elif words not in ("", *ASKED_OF_OMNI) and json.dumps(answer["inline"]) not in ONLY_OMNI:
        assert any(words in reason for reason in reasons)


# `0` and the missing `; ` between several errors are those of a newer Talos than that of Omni v1.10.4.
@pytest.mark.parametrize("answer", LOADER, ids=[json.dumps(answer["inline"]) for answer in LOADER])
def test_the_simulator_loads_what_talos_loads(answer: dict[str, Any]) -> None:
    faults = talos_config.faults(answer["text"] or patch_text(answer["inline"]))
    assert bool(faults) == bool(answer["refusal"])
    for words in WORDS:
        assert any(words in fault for fault in faults) == (words in answer["refusal"])
