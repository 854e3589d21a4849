from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.template.left import warnings_of
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.model.patches import patch_text

ONE, TWO, THREE = (f"{number}0000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))

CLUSTER = "kind: Cluster\nname: shop\nkubernetes: {version: v1.36.3}\ntalos: {version: v1.13.8}\n"
CONTROL_PLANE = f"kind: ControlPlane\nmachines: [{ONE}]\n"
WORKERS = f"kind: Workers\nmachines: [{TWO}]\n"


def template(*documents: str) -> str:
    return "---\n".join(documents)


def load(folder: Path, *documents: str):
    path = folder / "cluster.yaml"
    path.write_text(template(*documents))
    return load_template(path)


def refusal(folder: Path, *documents: str) -> str:
    with pytest.raises(ConfigFileError) as caught:
        load(folder, *documents)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_small_template(tmp_path):
    assert load(tmp_path, CLUSTER, CONTROL_PLANE) == {
        "name": "shop",
        "kubernetesVersion": "1.36.3",
        "talosVersion": "1.13.8",
        "controlPlane": {"machines": [ONE]},
        "workers": 0,
    }


def test_every_field_comes_to_its_place_among_the_inputs(tmp_path):
    (tmp_path / "manifests.yaml").write_text("kind: Namespace\n")
    inputs = load(
        tmp_path,
        """\
kind: Cluster
name: shop
labels: {team: web, empty: }
annotations: {answer: 42}
kubernetes:
  version: 1.36.3
  manifests:
  - {name: crds, mode: full, inline: {kind: CustomResourceDefinition}, labels: {a: b}}
  - {file: manifests.yaml, mode: one-time}
  healthchecks:
  - {name: dns, job: {kind: Job}, interval: 30s, annotations: {c: d}}
talos: {version: v1.13.8}
features:
  diskEncryption: true
  enableWorkloadProxy: false
  useEmbeddedDiscoveryService: true
  disablePublicDiscoveryService: true
  enableNodeAuditSkip: true
  backupConfiguration: {interval: 1h30m}
patches:
- {name: one, idOverride: 100-one, inline: {machine: {}}, labels: {e: f}, annotations: {g: h}}
systemExtensions: [siderolabs/hello]
kernelArgs: [quiet]
""",
        f"""\
kind: ControlPlane
labels: {{i: j}}
annotations: {{k: l}}
bootstrapSpec: {{clusterUUID: 0a, snapshot: s.snapshot}}
machines: [{ONE}]
upgradeStrategy: {{type: Rolling, rolling: {{maxParallelism: 2}}}}
patches: [{{name: two, inline: {{machine: {{}}}}}}]
systemExtensions: []
kernelArgs: []
""",
        f"""\
kind: Workers
name: pool
machines: [{TWO}]
updateStrategy: {{type: Unset}}
deleteStrategy: {{rolling: {{maxParallelism: 3}}}}
upgradeStrategy: {{type: Rolling}}
""",
        f"""\
kind: Machine
name: {TWO}
labels: {{m: n}}
annotations: {{o: p}}
locked: true
install: {{diskSelector: disk.size > 1u}}
patches: [{{name: three, inline: {{machine: {{}}}}}}]
systemExtensions: [siderolabs/drbd]
kernelArgs: [console=ttyS0]
""",
    )
    assert inputs == {
        "name": "shop",
        "labels": {"team": "web", "empty": ""},
        "annotations": {"answer": "42"},
        "kubernetesVersion": "1.36.3",
        "talosVersion": "1.13.8",
        "manifests": [
            {"name": "crds", "mode": "full", "inline": {"kind": "CustomResourceDefinition"}, "labels": {"a": "b"}},
            {"name": "manifests.yaml", "mode": "one-time", "inline": "kind: Namespace\n"},
        ],
        "healthChecks": [{"name": "dns", "job": {"kind": "Job"}, "interval": "30s", "annotations": {"c": "d"}}],
        "features": {
            "diskEncryption": True,
            "enableWorkloadProxy": False,
            "useEmbeddedDiscoveryService": True,
            "disablePublicDiscoveryService": True,
            "enableNodeAuditSkip": True,
        },
        "backup": {"interval": "1h30m"},
        "patches": [
            {
                "name": "one",
                "idOverride": "100-one",
                "inline": {"machine": {}},
                "labels": {"e": "f"},
                "annotations": {"g": "h"},
            }
        ],
        "systemExtensions": ["siderolabs/hello"],
        "kernelArgs": ["quiet"],
        "controlPlane": {
            "labels": {"i": "j"},
            "annotations": {"k": "l"},
            "bootstrapSpec": {"clusterUUID": "0a", "snapshot": "s.snapshot"},
            "machines": [ONE],
            "upgradeStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 2}},
            "patches": [{"name": "two", "inline": {"machine": {}}}],
            "systemExtensions": [],
            "kernelArgs": [],
        },
        "workers": [
            {
                "name": "pool",
                "machines": [TWO],
                "updateStrategy": {"type": "Unset"},
                "deleteStrategy": {"rolling": {"maxParallelism": 3}},
                "upgradeStrategy": {"type": "Rolling"},
            }
        ],
        "machines": {
            TWO: {
                "labels": {"m": "n"},
                "annotations": {"o": "p"},
                "locked": True,
                "install": {"diskSelector": "disk.size > 1u"},
                "patches": [{"name": "three", "inline": {"machine": {}}}],
                "systemExtensions": ["siderolabs/drbd"],
                "kernelArgs": ["console=ttyS0"],
            }
        },
    }


@pytest.mark.parametrize(
    ("size", "read"),
    [("3", 3), ("'3'", 3), ("0", 0), *((each, "unlimited") for each in ("unlimited", "Unlimited", "infinity", "∞"))],
)
def test_the_size_of_a_machine_class(tmp_path, size, read):
    workers = f"kind: Workers\nmachineClass: {{name: big, size: {size}}}\n"
    assert load(tmp_path, CLUSTER, CONTROL_PLANE, workers)["workers"] == [
        {"machineClass": {"name": "big", "size": read}}
    ]


def test_empty_documents_in_a_patch_are_taken(tmp_path):
    text = "---\n---\nmachine: {sysctls: {a: b}}\n---\n"
    (tmp_path / "a.yaml").write_text(text)
    patches = (
        "patches:\n- file: a.yaml\n- name: b\n  inline: |\n    ---\n    ---\n    machine: {sysctls: {a: b}}\n    ---\n"
        "- name: c\n  inline: [{machine: {sysctls: {a: b}}}, null, {}]\n"
    )
    assert load(tmp_path, CLUSTER + patches, CONTROL_PLANE)["patches"] == [
        {"name": "a.yaml", "inline": text},
        {"name": "b", "inline": text},
        {"name": "c", "inline": [{"machine": {"sysctls": {"a": "b"}}}, {}, {}]},
    ]


def test_machines_in_capitals_are_those_in_small_letters(tmp_path):
    small = "4c4c4544-0044-4a10-8056-b4c04f564433"
    control_plane = f"kind: ControlPlane\nmachines: [{small.upper()}]\n"
    described = "kind: Machine\nname: {}\nlocked: false\n"
    inputs = load(tmp_path, CLUSTER, control_plane, described.format(small))
    assert (inputs["controlPlane"], inputs["machines"]) == ({"machines": [small]}, {small: {"locked": False}})
    assert load(tmp_path, CLUSTER, control_plane, described.format(small.upper())) == inputs
    twice = refusal(tmp_path, CLUSTER, control_plane, described.format(small), described.format(small.upper()))
    assert f'machine "{small}" is described more than once' in twice
    both = refusal(tmp_path, CLUSTER, control_plane, f"kind: Workers\nmachines: [{small}]\n")
    assert f'machine "{small}" is used in both controlplane and workers' in both


def test_what_is_empty_for_go_is_not_there(tmp_path):
    cluster = CLUSTER + "features: {backupConfiguration: {interval: 0s}}\npatches:\nkernelArgs: null\n"
    workers = "kind: Workers\nname: ''\nmachines: []\nmachineClass: {name: big}\n"
    machine = f"kind: Machine\nname: {ONE}\ninstall: {{disk: ''}}\n"
    inputs = load(tmp_path, cluster, CONTROL_PLANE, workers, machine)
    assert inputs["workers"] == [{"machineClass": {"name": "big", "size": 0}}]
    assert inputs["machines"] == {ONE: {}}
    assert not {"backup", "features", "patches", "kernelArgs"} & set(inputs)


def test_files_are_found_beside_the_template_and_keep_their_text(tmp_path, monkeypatch):
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "a.yaml").write_text("# why\nmachine:\n\n  network: {}\n")
    monkeypatch.chdir("/")
    inputs = load(tmp_path, CLUSTER + "patches: [{file: patches/a.yaml}]\n", CONTROL_PLANE)
    assert inputs["patches"] == [{"name": "patches/a.yaml", "inline": "# why\nmachine:\n\n  network: {}\n"}]


def test_text_and_lists_of_documents_can_stand_in_the_template(tmp_path):
    patches = "patches:\n- name: text\n  inline: |\n    # why\n    machine: {}\n"
    patches += "- name: two\n  inline:\n  - machine: {}\n  - {kind: A}\n"
    inputs = load(tmp_path, CLUSTER + patches, CONTROL_PLANE)
    assert [each["inline"] for each in inputs["patches"]] == ["# why\nmachine: {}\n", [{"machine": {}}, {"kind": "A"}]]


def test_all_mistakes_are_told_in_the_order_of_their_lines(tmp_path):
    text = refusal(
        tmp_path,
        CLUSTER.replace("v1.13.8", "1.13.8") + "labels: {omni.sidero.dev/x: y}\n",
        f"kind: ControlPlane\nmachines: [{ONE}, nonsense]\n",
        f"kind: Workers\nmachines: [{ONE}]\n",
    )
    assert text.splitlines() == [
        "cluster.yaml:4: talos.version: error validating Talos version: version should start with 'v'",
        'cluster.yaml:5: labels["omni.sidero.dev/x"]: label "omni.sidero.dev/x" is invalid: '
        'prefix "omni.sidero.dev/" is reserved for internal use',
        'cluster.yaml:8: machines[1]: invalid machine ID "nonsense": it should be a UUID',
        f'cluster.yaml:11: machines[0]: machine "{ONE}" is used in both controlplane and workers',
    ]


def machine(fields: str, name: str = ONE) -> str:
    return f"kind: Machine\nname: {name}\n{fields}\n"


CLUSTER_FIELDS = [
    ("labels: {omni.sidero.dev/a: b}", 'label "omni.sidero.dev/a" is invalid: prefix "omni.sidero.dev/" is reserved'),
    ("annotations: {omni.sidero.dev/a: b}", 'annotation "omni.sidero.dev/a" is invalid: prefix'),
    ("patches: [{name: a}]", "patches[0]: file or inline is required"),
    ("patches: [{inline: {machine: {}}}]", "patches[0]: either name or idOverride is required for inline patches"),
    ("patches: [{name: a, file: a, inline: {}}]", "patches[0]: file and inline are mutually exclusive"),
    ("patches: [{file: a.yaml}]", "patches[0].file: failed to access the file: No such file or directory"),
    ("patches: [{name: a, inline: 1}]", "patches[0].inline: should be a mapping, a list of mappings, or YAML text"),
    ("patches: [{name: a, inline: {machine: {token: x}}}]", 'overriding "machine.token" is not allowed in the config'),
    ("patches: [{name: a, description: b}]", "patches[0].description: unknown field"),
    ("kubernetes: {version: v1.36.3, manifests: [{mode: full, inline: {}}]}", "kubernetes manifest name is empty"),
    ("kubernetes: {version: v1.36.3, manifests: [{name: a, inline: {}}]}", "kubernetes manifest mode is not set"),
    (
        "kubernetes: {version: v1.36.3, manifests: [&a {name: a, mode: full, inline: {}}, *a]}",
        "kubernetes.manifests[1].name: duplicate manifest name",
    ),
    (
        "kubernetes: {version: v1.36.3, healthchecks: [{job: {}}]}",
        "either name or idOverride is required for a healthcheck",
    ),
    ("kubernetes: {version: v1.36.3, healthchecks: [{name: a}]}", "job or file is required"),
    (
        "kubernetes: {version: v1.36.3, healthchecks: [{name: a, job: {}, file: b}]}",
        "job and file are mutually exclusive",
    ),
    (
        "kubernetes: {version: v1.36.3, healthchecks: [{name: a, job: {}}, {name: a, job: {}}]}",
        "kubernetes.healthchecks[1]: duplicate healthcheck",
    ),
    (
        "kubernetes: {version: v1.36.3, healthchecks: [{name: a, job: 'x: ['}]}",
        "kubernetes.healthchecks[0].job: invalid job manifest",
    ),
    ("kubernetes: {version: 1.36}", "kubernetes.version: version should be in semver format"),
    ("kubernetes: {}", "kubernetes.version: error validating Kubernetes version: version is required"),
    ("talos: {}", "talos.version: error validating Talos version: version is required"),
    ("talos: {version: 1.13.8}", "talos.version: error validating Talos version: version should start with 'v'"),
    (
        "features: {diskEncryption: true}\ntalos: {version: v1.4.8}",
        "features.diskEncryption: disk encryption is supported only for Talos version >= 1.5.0",
    ),
    ("features: {backupConfiguration: {interval: often}}", 'features.backupConfiguration.interval: "often" is not a'),
    ("features: {backupConfiguration: {interval: -1h}}", "features.backupConfiguration.interval: should be longer"),
    ("features: {workloadProxy: true}", "features.workloadProxy: unknown field; did you mean"),
    ("name: ''", "name: name is required"),
    ("name: a b", "name: name should only contain letters, digits, dashes and underscores"),
    ("nam: a", "nam: unknown field; did you mean name?"),
    ("kernelArgs: quiet", "kernelArgs: should be a list, not text"),
]


@pytest.mark.parametrize(("fields", "reason"), CLUSTER_FIELDS)
def test_what_omnictl_refuses_in_a_cluster(tmp_path, fields, reason):
    keys = {line.split(":")[0] for line in fields.splitlines()}
    kept = "".join(line + "\n" for line in CLUSTER.splitlines() if line.split(":")[0] not in keys)
    text = refusal(tmp_path, kept + fields + "\n", CONTROL_PLANE)
    assert reason in text
    assert all(line.startswith("cluster.yaml:") for line in text.splitlines())


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ((), "cluster.yaml: template should contain 1 cluster, got 0"),
        ((CLUSTER,), "cluster.yaml: template should contain 1 controlplane, got 0"),
        ((CLUSTER, CONTROL_PLANE, CLUSTER), "cluster.yaml:9: kind: template should contain 1 cluster, got 2"),
        ((CLUSTER, CONTROL_PLANE, CONTROL_PLANE), "template should contain 1 controlplane, got 2"),
        ((CLUSTER, CONTROL_PLANE, "a: b\n"), "cluster.yaml:9: kind field not found"),
        ((CLUSTER, CONTROL_PLANE, "kind: Node\n"), 'cluster.yaml:9: kind: unknown model kind "Node"'),
        ((CLUSTER, CONTROL_PLANE, "kind: [Node]\n"), "cluster.yaml:9: kind: unknown model kind"),
        ((CLUSTER, CONTROL_PLANE, "[]\n"), "cluster.yaml:9: expected a mapping with the field kind"),
        ((CLUSTER, CONTROL_PLANE, "text\n"), "cluster.yaml:9: expected a mapping with the field kind"),
        ((CLUSTER, CONTROL_PLANE + "name: x\n"), "name: custom name is not allowed in the controlplane"),
        ((CLUSTER, CONTROL_PLANE + "updateStrategy: {}\n"), "updateStrategy is not allowed in the controlplane"),
        ((CLUSTER, CONTROL_PLANE + "deleteStrategy: {}\n"), "deleteStrategy is not allowed in the controlplane"),
        ((CLUSTER, CONTROL_PLANE + "count: 3\n"), "count: unknown field"),
        (
            (CLUSTER, CONTROL_PLANE + "bootstrapSpec: {clusterUUID: '', snapshot: a}\n"),
            "bootstrapSpec.clusterUUID: clusterUUID is required in bootstrapSpec",
        ),
        (
            (CLUSTER, CONTROL_PLANE + "bootstrapSpec: {clusterUUID: a, snapshot: ''}\n"),
            "bootstrapSpec.snapshot: snapshot is required in bootstrapSpec",
        ),
        ((CLUSTER, CONTROL_PLANE, WORKERS + "bootstrapSpec: {}\n"), "bootstrapSpec is not allowed in workers"),
        (
            (CLUSTER, CONTROL_PLANE, WORKERS + "name: control-planes\n"),
            'name "control-planes" cannot be used in workers',
        ),
        (
            (CLUSTER, CONTROL_PLANE, WORKERS, "kind: Workers\n"),
            'cluster.yaml:12: name: duplicate workers with name "workers"',
        ),
        (
            (CLUSTER, CONTROL_PLANE, WORKERS + "machineClass: {name: a, size: 1}\n"),
            "machine set can not have both machines and machine class defined",
        ),
        ((CLUSTER, CONTROL_PLANE, "kind: Workers\nmachineClass: {name: a, size: many}\n"), "machineClass.size: "),
        (
            (CLUSTER, CONTROL_PLANE, "kind: Workers\nmachineClass: {name: a, size: " + "9" * 5000 + "}\n"),
            "machineClass.size: ",
        ),
        (
            (CLUSTER, CONTROL_PLANE, "kind: Workers\nkernelArgs: [a]\nmachineClass: {name: a, size: 1}\n"),
            "kernelArgs: kernelArgs cannot be defined for machine set since it uses machine class",
        ),
        (
            (CLUSTER + "kernelArgs: [a]\n", CONTROL_PLANE, "kind: Workers\nmachineClass: {name: a, size: 1}\n"),
            "cluster.yaml:5: kernelArgs: kernelArgs cannot be defined at cluster level for this machine set since",
        ),
        ((CLUSTER, CONTROL_PLANE, WORKERS + "updateStrategy: {type: Fast}\n"), "updateStrategy.type: "),
        (
            (CLUSTER, CONTROL_PLANE, WORKERS, f"kind: Workers\nname: more\nmachines: [{TWO}]\n"),
            f'cluster.yaml:14: machines[0]: machine "{TWO}" is used in multiple workers: ',
        ),
        (
            (CLUSTER, CONTROL_PLANE, machine("", THREE)),
            f'name: machine "{THREE}" is not used in controlplane or workers',
        ),
        (
            (CLUSTER, CONTROL_PLANE, "kind: Workers\nmachineClass: {name: a, size: 1}\n", machine("", THREE)),
            f'name: machine "{THREE}" is not used in controlplane or workers',
        ),
        (
            (CLUSTER, CONTROL_PLANE, machine("locked: true")),
            f'locked: machine "{ONE}" is locked and used in controlplane',
        ),
        ((CLUSTER, CONTROL_PLANE, machine(""), machine("")), f'name: machine "{ONE}" is described more than once'),
        ((CLUSTER, CONTROL_PLANE, "kind: Machine\n"), "name: name is required for machine"),
        (
            (CLUSTER, CONTROL_PLANE, machine("install: {disk: /dev/a, diskSelector: system_disk}")),
            "cluster.yaml:11: install: install.disk and install.diskSelector are mutually exclusive",
        ),
        (
            (CLUSTER, CONTROL_PLANE, machine("install: {diskSelector: (}")),
            "install.diskSelector: install.diskSelector is not a valid boolean disk expression: ",
        ),
        (
            (CLUSTER, CONTROL_PLANE, machine("patches: [{name: a, inline: {machine: {ca: 1}}}]")),
            'cluster.yaml:11: patches[0].inline.machine.ca: overriding "machine.ca" is not allowed in the config patch',
        ),
    ],
)
def test_what_omnictl_refuses_in_a_template(tmp_path, documents, reason):
    text = refusal(tmp_path, *documents)
    assert reason in text
    assert all(line.startswith("cluster.yaml:") for line in text.splitlines())


@pytest.mark.parametrize(
    "name", ["line\nbreak", 'a"].b', "a[9" + "9" * 5000 + "]", 'a"].[' + "9" * 5000 + "]", ".", '"'], ids=range(6)
)
def test_odd_names_of_machines_are_mistakes_like_others(tmp_path, name):
    text = refusal(tmp_path, CLUSTER, CONTROL_PLANE, f"kind: Machine\nname: {json.dumps(name)}\n")
    assert "is not used in controlplane or workers" in text


def test_a_template_that_is_not_there(tmp_path):
    with pytest.raises(ConfigFileError, match=r"gone\.yaml: file not found"):
        load_template(os.fspath(tmp_path / "gone.yaml"))


# What omnictl's own code makes of scalars in a patch; the table is made by tools/go/omni-patches.
SCALARS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "omni-scalars.jsonl").read_text(encoding="utf-8").splitlines()
]
TEMPLATE_OF_A_SCALAR = """\
kind: Cluster
name: c
kubernetes: {version: v1.36.3}
talos: {version: v1.13.8}
patches: [{name: p, inline: {machine: {sysctls: {a: %s}}}}]
---
kind: ControlPlane
machines: [10000000-0000-4000-8000-000000000001]
"""
# The same value in another spelling: Talos reads both alike.
SPELLED_OTHERWISE = {
    "2026-01-02": '"2026-01-02T00:00:00Z"',
    "2026-1-2": '"2026-01-02T00:00:00Z"',
    "-0": "0",
    "-0.0": "0",
    "-9223372036854775809": "-9223372036854775808",  # as floats, which both are, the two are equal
    "0x1FFFFFFFFFFFFFFFFF": '"0x1FFFFFFFFFFFFFFFFF"',
    "<<": "<<",
}
REFUSED = {
    **dict.fromkeys((".inf", "-.inf", "+.inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"), "is not a supported number"),
    "!!binary aGVsbG8=": "is a YAML tag that is not supported",
}


@pytest.mark.parametrize("case", SCALARS, ids=lambda case: case["scalar"])
def test_a_scalar_in_a_patch_is_what_omnictl_takes_it_for(case: dict[str, str], tmp_path: Path) -> None:
    scalar = case["scalar"]
    path = tmp_path / "cluster.yaml"
    path.write_text(TEMPLATE_OF_A_SCALAR % scalar)
    if case["refusal"] or scalar in REFUSED:
        with pytest.raises(ConfigFileError, match=REFUSED.get(scalar, "cluster.yaml:5: ")):
            load_template(path)
        return
    text = patch_text(parse_cluster(load_template(path)).patches[0].inline)
    ours = SPELLED_OTHERWISE.get(scalar)
    assert text == (case["text"] if ours is None else f"machine:\n    sysctls:\n        a: {ours}\n")


def test_a_template_that_has_lost_its_indentation_is_recognised(tmp_path):
    cluster = "kind: Cluster\nname: shop\nkubernetes:\nversion: v1.36.3\ntalos:\nversion: v1.13.8\n"
    assert refusal(tmp_path, cluster, CONTROL_PLANE).startswith(
        "cluster.yaml:4: the file has lost its indentation: version is not indented below kubernetes (line 3)."
    )


LEFT = "left in the template: render the template first; `from_template` accepts the result as `text`"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("shop", "${NAME}", "2: ${NAME} (line 2) is"),
        ("v1.13.8", "${TALOS:-v1.13.8}", "4: ${TALOS} (line 4) is"),
        ("shop", "$NAME", "2: $NAME (line 2) is"),
        ("shop", "$name", "2: $… (line 2) is"),
        ("v1.13.8", "v$TALOS", "4: $TALOS (line 4) is"),
        ("v1.13.8", "'{{ talos }}'", "4: {{ talos }} (line 4) is"),
        ("v1.13.8", "'{{ talos | default(\"1.13.8\") }}'", "4: {{ … }} (line 4) is"),
        ("{version: v1.13.8}\n", "\n  version: {{ talos }}\n", "5: {{ talos }} (line 5) is"),  # not even YAML
        ("name: shop", "{% if big %}\nname: shop", "2: {% … %} (line 2) is"),
        ("shop", "${A}-${B}\nlabels: {env: '${A}'}", "2: ${A} (line 2), ${B} (line 2), ${A} (line 3) are"),
    ],
)
def test_what_a_renderer_has_left_is_named_in_one_line(tmp_path, old, new, found):
    assert refusal(tmp_path, CLUSTER.replace(old, new), CONTROL_PLANE) == f"cluster.yaml:{found} {LEFT}"


def test_references_in_contents_and_comments_are_passed_on(tmp_path):
    """A script has variables of its own, and Talos replaces `${uuid}` in `talos.config`."""
    text = (
        "# of ${TEAM}\nkernelArgs: ['talos.config=https://pxe/?uuid=${uuid}']\nannotations: {cost: '${x}'}\n"
        "patches:\n  - name: a\n    inline:\n      machine:\n        network:\n          hostname: ${HOST}\n"
        "  - name: b\n    inline: |\n      machine: {env: {A: 'x${B}', C: 'y'}}\n"
    )
    inputs = load(tmp_path, CLUSTER + text, CONTROL_PLANE)
    assert inputs["patches"][0]["inline"] == {"machine": {"network": {"hostname": "${HOST}"}}}
    assert warnings_of(CLUSTER + text, "cluster.yaml") == [
        "cluster.yaml: ${HOST} (line 13) is passed on unchanged. If a value should replace it, render the template "
        "first; `from_template` accepts the result as `text`"
    ]


def test_short_references_that_are_a_whole_value_are_warned_of(tmp_path):
    text = (
        "patches:\n  - name: a\n    inline:\n      machine:\n        time: {$patch: delete}\n        network:\n"
        "          hostname: $HOST\n          domain: $secret\n          search: [$a.b]\n  - name: b\n"
        "    inline: |\n      machine: {env: {A: 'x$B', C: '$2y$10$abc'}}\n"
    )
    assert load(tmp_path, CLUSTER + text, CONTROL_PLANE)
    [warning] = warnings_of(CLUSTER + text, "cluster.yaml")
    assert warning.startswith("cluster.yaml: $HOST (line 11), $… (line 12) are passed on unchanged.")


def test_a_short_reference_is_no_cause_of_invalid_yaml(tmp_path):
    assert "invalid YAML" in refusal(tmp_path, CLUSTER + "patches: [{name: a, inline: {$patch: delete}}}]\n")


def test_a_path_from_the_working_directory_is_recognised(tmp_path, monkeypatch):
    """Older releases of omnictl took paths from there."""
    (tmp_path / "patches").mkdir()
    (tmp_path / "clusters").mkdir()
    (tmp_path / "patches/time.yaml").write_text("debug: true\n")
    monkeypatch.chdir(tmp_path)
    reason = refusal(tmp_path / "clusters", CLUSTER + "patches: [{file: patches/time.yaml}]\n", CONTROL_PLANE)
    assert reason.startswith(
        "cluster.yaml:5: patches[0].file: failed to access the file: No such file or directory (the path is relative to"
    )
    assert reason.endswith(
        "/clusters). It exists relative to the working directory, which older releases of omnictl used: write "
        "../patches/time.yaml"
    )
    assert load(tmp_path / "clusters", CLUSTER + "patches: [{file: ../patches/time.yaml}]\n", CONTROL_PLANE)["patches"]
