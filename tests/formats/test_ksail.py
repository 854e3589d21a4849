from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.ksail.read import load_ksail

if TYPE_CHECKING:
    from pathlib import Path

# The example of KSail's documentation, with the account filled in.
SEED = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata:
  name: my-omni-cluster
spec:
  cluster:
    distribution: Talos
    provider: Omni
    omni:
      # Required: your Omni API endpoint
      endpoint: "https://mine.omni.siderolabs.io:443"
      # Optional: override the default env var name (default: OMNI_SERVICE_ACCOUNT_KEY)
      # serviceAccountKeyEnvVar: "MY_CUSTOM_OMNI_KEY"
    talos:
      controlPlanes: 1
      workers: 2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ksail.yaml"
    path.write_text(text)
    return path


def patch(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cluster(fields: str, *, where: str = "cluster") -> str:
    """A ksail.yaml with these lines in `spec.cluster` or in `spec.<where>`."""
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    return f"spec:\n  {where}:\n{lines}"


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigFileError) as caught:
        load_ksail(write(folder, text), {})
    return str(caught.value).replace(f"{folder}/", "")


def test_the_seed_example_is_read_word_for_word(tmp_path):
    config = load_ksail(write(tmp_path, SEED), {})
    assert config.spec == {"name": "my-omni-cluster", "controlPlane": {"count": 1}, "workers": [{"count": 2}]}
    assert config.endpoint == "https://mine.omni.siderolabs.io:443"
    assert config.endpoint_env_var == "OMNI_ENDPOINT"
    assert config.service_account_key_env_var == ""
    assert config.warnings == ()


def test_the_name_of_the_key_variable_can_be_chosen(tmp_path):
    config = load_ksail(write(tmp_path, SEED.replace("# serviceAccount", "serviceAccount")), {})
    assert config.service_account_key_env_var == "MY_CUSTOM_OMNI_KEY"


def test_the_variable_for_the_endpoint_wins_over_the_file(tmp_path):
    path = write(tmp_path, SEED)
    assert load_ksail(path, {"OMNI_ENDPOINT": "https://other"}).endpoint == ""
    assert load_ksail(path, {"OMNI_ENDPOINT": ""}).endpoint == "https://mine.omni.siderolabs.io:443"
    own = write(tmp_path, SEED.replace("    omni:\n", "    omni:\n      endpointEnvVar: MINE\n"))
    assert load_ksail(own, {"MINE": "https://mine", "OMNI_ENDPOINT": "https://other"}).endpoint == "https://mine"


def test_patches_keep_their_text_and_are_ordered_by_file_name(tmp_path):
    text = (
        "# why\nmachine:\n  files:\n    - content: |\n        one\n\n        two\n---\napiVersion: v1alpha1\nkind: X\n"
    )
    patch(tmp_path, "talos/cluster/b.yaml", text)
    patch(tmp_path, "talos/cluster/a.yml", "cluster: {}\n")
    patch(tmp_path, "talos/control-planes/cp.yaml", "machine: {}\n")
    patch(tmp_path, "talos/workers/w.yaml", "machine: {}\n")
    patch(tmp_path, "talos/workers/.gitkeep", "")
    patch(tmp_path, "talos/workers/deeper/no.yaml", "machine: {}\n")
    spec = load_ksail(write(tmp_path, SEED), {}).spec
    assert spec["patches"] == [{"name": "a", "inline": "cluster: {}\n"}, {"name": "b", "inline": text}]
    assert spec["controlPlane"]["patches"] == [{"name": "cp", "inline": "machine: {}\n"}]
    assert spec["workers"] == [{"count": 2, "patches": [{"name": "w", "inline": "machine: {}\n"}]}]


def test_patches_that_omni_would_refuse_are_left_out(tmp_path):
    patch(tmp_path, "talos/cluster/cluster-name.yaml", "cluster: {clusterName: x}\n")
    patch(tmp_path, "talos/cluster/image-verification.yaml", "kind: ImageVerificationConfig\n")
    patch(tmp_path, "talos/cluster/empty.yaml", "# nothing yet\n---\n")
    config = load_ksail(write(tmp_path, SEED), {})
    assert "patches" not in config.spec
    assert config.warnings == (f"{tmp_path}/talos/cluster/empty.yaml: the patch is empty and is skipped",)


def test_machines_in_capitals_are_those_in_small_letters(tmp_path):
    small = "4c4c4544-0044-4a10-8056-b4c04f564433"
    one = write(tmp_path, cluster(f"omni:\n  machines: [{small.upper()}]"))
    assert load_ksail(one, {}).spec["controlPlane"] == {"machines": [small]}
    twice = write(tmp_path, cluster(f"workers: 1\nomni:\n  machines: [{small}, {small.upper()}]"))
    with pytest.raises(ConfigFileError, match=f'machine "{small}" is listed twice'):
        load_ksail(twice, {})


def test_empty_documents_in_a_patch_are_taken(tmp_path):
    text = "# why\n---\nmachine: {sysctls: {a: b}}\n---\n# nothing more\n---\nnull\n---\n"
    patch(tmp_path, "talos/cluster/a.yaml", text)
    config = load_ksail(write(tmp_path, SEED), {})
    assert (config.spec["patches"], config.warnings) == ([{"name": "a", "inline": text}], ())


def test_variables_in_patches_are_expanded(tmp_path):
    patch(
        tmp_path, "talos/cluster/a.yaml", "a: ${SET}\nb: ${NOT:-x y}\nc: ${EMPTY:=z}\nd: $SET ${} $$\ne: '${MISSING}'\n"
    )
    config = load_ksail(write(tmp_path, SEED), {"SET": "1", "EMPTY": ""})
    assert config.spec["patches"][0]["inline"] == "a: 1\nb: x y\nc: \nd: $SET ${} $$\ne: ''\n"
    assert config.warnings == (f"{tmp_path}/talos/cluster/a.yaml:5: environment variable MISSING is not set",)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# ${X}\na: b\n", []),
        ("a: b # é🙂 ${X}\n", []),
        ("#${X}\n---\n# ${X} and ${X}\na: b\n# ${X}", []),
        ("a:\n  # ${X}\n  - b\n  # ${X}\n", []),
        ("a: | # ${X}\n  b\n", []),
        ("a: [b, # ${X}\n  c]\n", []),
        ("a: b # ${X}\r\nc: ${X}\r\n", [2]),
        ("a: ${X} # ${X}\n", [1]),
        ("a: b#${X}\n", [1]),
        ("a: ${X}\n# c\n", [1]),
        ("a: '# ${X}'\n", [1]),
        ('a: "b # ${X}"\n', [1]),
        ("a: 'b\n  # ${X}'\n", [2]),
        ("a: |\n  # ${X}\n  # é ${X}\n", [2, 3]),
        ("a: >-\n  b\n\n  # ${X}\nc: d # ${X}\n", [4]),
        ("a: |\n  b\n# ${X}\nc: ${X}\n", [4]),
        ("a: ${X} ${X}\n", [1]),
    ],
)
def test_a_variable_in_a_comment_need_not_be_set(tmp_path, text, lines):
    patch(tmp_path, "talos/cluster/a.yaml", text)
    config = load_ksail(write(tmp_path, SEED), {})
    assert config.spec["patches"] == [{"name": "a", "inline": text.replace("\r\n", "\r\n").replace("${X}", "")}]
    assert config.warnings == tuple(
        f"{tmp_path}/talos/cluster/a.yaml:{line}: environment variable X is not set" for line in lines
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [\n", "talos/workers/p.yaml:2: invalid YAML: did not find expected node content"),
        ("- op: add\n", "talos/workers/p.yaml:1: JSON patches (RFC 6902) are not accepted by Omni"),
        ("a: 1\n---\ntext\n", "talos/workers/p.yaml:3: expected a YAML document, a mapping of Talos configuration"),
    ],
)
def test_a_patch_that_cannot_be_one_is_refused_with_its_line(tmp_path, text, message):
    patch(tmp_path, "talos/workers/p.yaml", text)
    assert refusal(tmp_path, SEED).startswith(message)


def test_todays_path_and_all_its_fields_are_read(tmp_path):
    text = (
        cluster(
            "omni:\n  endpoint: https://o\n  talosVersion: 1.10.0\n  kubernetesVersion: v1.34.2\n  machineClass: big",
            where="provider",
        )
        + "  cluster:\n    controlPlanes: 3\n    workers: 2\n"
    )
    config = load_ksail(write(tmp_path, text), {})
    assert config.spec == {
        "talosVersion": "1.10.0",
        "kubernetesVersion": "v1.34.2",
        "controlPlane": {"machineClass": {"name": "big", "size": 3}},
        "workers": [{"machineClass": {"name": "big", "size": 2}}],
    }


def test_listed_machines_are_shared_out_control_planes_first(tmp_path):
    a, b, c, d = (str(uuid.UUID(int=number)) for number in range(4))
    text = cluster(f"controlPlanes: 1\nworkers: 2\nomni:\n  machines: [{a}, {b}, {c}, {d}]")
    config = load_ksail(write(tmp_path, text), {})
    assert config.spec["controlPlane"] == {"machines": [a]}
    assert config.spec["workers"] == [{"machines": [b, c]}]
    assert config.warnings == (f"{tmp_path}/ksail.yaml: machines beyond the node counts are not used: {d}",)


def test_a_lone_control_plane_without_patches_takes_workloads_as_in_ksail(tmp_path):
    spec = load_ksail(write(tmp_path, cluster("omni: {endpoint: https://o}")), {}).spec
    assert spec["controlPlane"] == {"count": 1}
    assert "workers" not in spec
    assert [item["name"] for item in spec["patches"]] == ["allow-scheduling-on-control-planes"]


def test_the_old_counts_are_deprecated_beside_todays_path(tmp_path):
    text = cluster("omni: {}", where="provider") + "  cluster:\n    talos:\n      workers: 2\n"
    config = load_ksail(write(tmp_path, text), {})
    assert config.spec["workers"] == [{"count": 2}]
    assert config.warnings == (
        f"{tmp_path}/ksail.yaml: spec.cluster.talos.workers is deprecated; use spec.cluster.workers.",
    )


MISTAKES = {
    "17: spec.cluster.talos.worker: unknown field; did you mean workers?": SEED + "      worker: 3\n",
    '16: spec.cluster.talos.workers: should be a whole number, not "two"': SEED.replace("workers: 2", "workers: two"),
    "16: spec.cluster.talos.workers: should be 0 or more": SEED.replace("workers: 2", "workers: -2"),
    "16: spec.cluster.talos.workers: should be a whole number, not true": SEED.replace("workers: 2", "workers: true"),
    "8: spec.cluster.provider: should be 'Omni', not \"Docker\"": SEED.replace("provider: Omni", "provider: Docker"),
    "2: kind: should be 'Cluster', not \"Pod\"": SEED.replace("kind: Cluster", "kind: Pod"),
    '4: metadata.name: cluster name is invalid: "My_cluster" must be DNS': SEED.replace(
        "my-omni-cluster", "My_cluster"
    ),
    "4: metadata.name: cluster name is too long:": SEED.replace("my-omni-cluster", "a" * 64),
    "17: duplicate key workers (first on line 16)": SEED + "      workers: 3\n",
    "16: spec.cluster.talos.workers: spec.cluster.talos.workers=2 conflicts with spec.cluster.workers=3": (
        SEED + "    workers: 3\n"
    ),
    "9: spec.cluster.omni: spec.cluster.omni and spec.provider.omni are both set": (
        SEED + "  provider:\n    omni: {endpoint: x}\n"
    ),
    "17: spec.cluster.distributionConfig: folder tallos not found": SEED + "    distributionConfig: tallos\n",
    "5: spec.cluster.omni.machines: MachineClass and Machines are mutually exclusive": (
        cluster("omni:\n  machineClass: a\n  machines: [b]")
    ),
    "5: spec.cluster.omni.machines: not enough machines for the requested control plane and worker node counts: "
    "need 3 (controlPlanes=1 + workers=2), got 2": cluster("workers: 2\nomni:\n  machines: [a, b]"),
    '7: spec.cluster.omni.machines[1]: machine "a" is listed twice': (
        cluster("workers: 1\nomni:\n  machines:\n  - a\n  - a")
    ),
    '3: spec.cluster.omni: should be a mapping, not "text"': cluster("omni: text"),
    "1: should be a mapping, not a list": "- a\n",
    " expected one document, not 0": "",
    " expected one document, not 2": "a: 1\n---\nb: 2\n",
    "2: invalid YAML: did not find expected ',' or '}'": "a: {b\n",
}


@pytest.mark.parametrize(("message", "text"), MISTAKES.items())
def test_mistakes_are_named_with_file_line_and_field(tmp_path, text, message):
    assert refusal(tmp_path, text).startswith("ksail.yaml:" + message)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path):
    text = SEED.replace("workers: 2", "workers: two").replace("kind: Cluster", "kind: Pod")
    first, second = refusal(tmp_path, text).splitlines()
    assert first.startswith("ksail.yaml:2: kind:")
    assert second.startswith("ksail.yaml:16: spec.cluster.talos.workers:")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigFileError, match=r"nowhere\.yaml: file not found"):
        load_ksail(tmp_path / "nowhere.yaml", {})


def test_fields_of_ksail_that_do_nothing_on_omni_may_stand_and_are_named(tmp_path):
    text = SEED + (
        "    loadBalancer: Enabled\n    cdi: Default\n    csi: false\n    cni: Default\n    importImages: a.tar\n"
        "    policyEngine: None\n    hetzner: {sshKeyName: x}\n    autoscaler: {}\n    oidc:\n"
        "  editor: vim\n  workload: {sourceDirectory: k8s}\n"
    )
    config = load_ksail(write(tmp_path, text), {})
    assert config.warnings == (
        f"{tmp_path}/ksail.yaml: has no effect on a cluster in Omni: spec.cluster.loadBalancer, "
        "spec.cluster.importImages",
    )


@pytest.mark.parametrize(
    ("fields", "field", "what"),
    [
        (
            "oidc: {issuerURL: x}",
            "oidc",
            "the kubeconfig has no context for it: KSail would add a second one, oidc@ and the cluster's name",
        ),
        (
            "localRegistry: {registry: ghcr.io/x}",
            "localRegistry",
            "the GitOps engine is installed without a source: KSail would make it read from this registry",
        ),
        ("autoscaler: {pod: {}}", "autoscaler", "no autoscaler is installed"),
        ("talos: {config: x}", "talos.config", "no talosconfig file is written: use the output talosconfig"),
    ],
)
def test_what_ksail_does_and_this_package_does_not_is_said(tmp_path, fields, field, what):
    config = load_ksail(write(tmp_path, cluster(fields)), {})
    assert config.warnings == (f"{tmp_path}/ksail.yaml:3: spec.cluster.{field} is not used: {what}",)


@pytest.mark.parametrize(
    ("connection", "kubeconfig"),
    [
        ("{timeout: 5m}", None),
        ("{context: admin@other}", {"context": "admin@other"}),
        ("{kubeconfig: ~/.kube/other}", {"file": "~/.kube/other"}),
        ("{kubeconfig: /etc/kube, context: '${STAGE}'}", {"context": "dev", "file": "/etc/kube"}),
        ("{kubeconfig: 'kube/${STAGE:-x}'}", {"file": "{folder}/kube/dev"}),
    ],
)
def test_the_connection_is_the_context_that_is_kept(tmp_path, connection, kubeconfig):
    text = "metadata: {name: shop}\n" + cluster(f"connection: {connection}")
    config = load_ksail(write(tmp_path, text), {"STAGE": "dev"})
    assert config.spec["name"] == "shop"
    if kubeconfig is not None:
        kubeconfig = {key: value.replace("{folder}", str(tmp_path)) for key, value in kubeconfig.items()}
    assert config.spec.get("kubeconfig") == kubeconfig
    assert config.warnings == ()


@pytest.mark.parametrize("file", ["${STAGE}/config", "kube/${STAGE:-dev}", "~/.kube/${NONE:-}"])
def test_the_file_with_the_context_has_no_empty_variable(tmp_path, file):
    text = cluster(f"connection: {{kubeconfig: '{file}'}}")
    with pytest.raises(ConfigFileError) as refused:
        load_ksail(write(tmp_path, text), {"STAGE": ""})
    name = "NONE" if "NONE" in file else "STAGE"
    where = f"{tmp_path}/ksail.yaml:3: spec.cluster.connection.kubeconfig"
    assert str(refused.value) == f'{where}: environment variable "{name}" is not set or empty'


def test_a_variable_that_is_not_set_is_named_once(tmp_path):
    config = load_ksail(write(tmp_path, cluster("connection: {context: 'admin@${STAGE}'}")), {})
    assert config.spec.get("name") is None
    assert [warning for warning in config.warnings if "STAGE" in warning] == [
        f"{tmp_path}/ksail.yaml: environment variable STAGE is not set"
    ]


def test_keys_are_read_in_any_case_of_letters_as_ksail_does(tmp_path):
    text = (
        "metadata: {Name: shop}\nSpec:\n  Cluster: {controlplanes: 3, KUBERNETESVERSION: 1.34.2}\n"
        "  provider: {OMNI: {talosversion: 1.11.0, machineclass: big}}\n"
    )
    config = load_ksail(write(tmp_path, text), {})
    assert config.spec["name"] == "shop"
    assert (config.spec["talosVersion"], config.spec["kubernetesVersion"]) == ("1.11.0", "1.34.2")
    assert config.spec["controlPlane"] == {"machineClass": {"name": "big", "size": 3}}
    assert config.warnings == ()
    wrong = refusal(tmp_path, text.replace("1.34.2", "newest"))
    assert wrong.startswith("ksail.yaml:3: spec.cluster.kubernetesVersion: ")
    twice = refusal(tmp_path, cluster("workers: 1\nWorkers: 2"))
    assert twice == "ksail.yaml:4: spec.cluster.Workers: workers is set twice, in two spellings: keep one of them"


def test_a_number_may_be_in_quotes_as_for_ksail(tmp_path):
    config = load_ksail(write(tmp_path, cluster("controlPlanes: '3'\nworkers: \"2\"")), {})
    assert (config.spec["controlPlane"], config.spec["workers"]) == ({"count": 3}, [{"count": 2}])
    for text in ("'010'", "'-1'", "' 2'", "'1e3'", "''"):
        assert "should be a whole number" in refusal(tmp_path, cluster(f"workers: {text}"))


def test_choices_are_read_in_any_case_of_letters_as_ksail_does(tmp_path):
    fields = (
        "distribution: talos\nprovider: OMNI\ncni: cilium\npolicyEngine: KYVERNO\ngitOpsEngine: argocd\n"
        "csi: enabled\nmetricsServer: DEFAULT\ncertManager: disabled"
    )
    config = load_ksail(write(tmp_path, cluster(fields)), {})
    assert config.spec["addons"] == {
        "cni": "cilium", "policyEngine": "kyverno", "gitOpsEngine": "argocd", "csi": "local-path",
    }  # fmt: skip
    assert config.warnings == ()
    assert refusal(tmp_path, "kind: cluster\n").startswith("ksail.yaml:1: kind: should be 'Cluster', not \"cluster\"")
    assert refusal(tmp_path, cluster("provider: docker")).startswith(
        "ksail.yaml:3: spec.cluster.provider: should be 'Omni', not \"docker\""
    )


@pytest.mark.parametrize(
    ("text", "line", "field", "hint"),
    [
        (cluster("monitoring: Enabled"), 3, "spec.cluster.monitoring", ""),
        (cluster("csl: Enabled"), 3, "spec.cluster.csl", ""),
        (cluster("talos: {patches: []}"), 3, "spec.cluster.talos.patches", ""),
        (cluster("region: eu", where="provider"), 3, "spec.provider.region", ""),
        (cluster("machineClass: big"), 3, "spec.cluster.machineClass", "spec.provider.omni.machineClass"),
        (cluster("talosversion: 1.13.8"), 3, "spec.cluster.talosversion", "spec.provider.omni.talosVersion"),
        ("spec:\n  controlPlanes: 3\n", 2, "spec.controlPlanes", "spec.cluster.controlPlanes"),
        ("kind: Cluster\nx-patches: &a {}\n", 2, "x-patches", ""),
    ],
)
def test_a_key_that_ksail_ignores_is_ignored_with_a_warning(tmp_path, text, line, field, hint):
    config = load_ksail(write(tmp_path, text), {})
    assert config.warnings == (
        f"{tmp_path}/ksail.yaml:{line}: {field} is not a field of KSail and is ignored"
        + (f"; did you mean {hint}?" if hint else ""),
    )
    assert config.spec.keys() == {"controlPlane", "patches"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cluster("worker: 1"), "3: spec.cluster.worker: unknown field; did you mean workers?"),
        (cluster("Control_Planes: 1"), "3: spec.cluster.Control_Planes: unknown field; did you mean controlPlanes?"),
        (cluster("omni: {endpont: x}", where="provider"), "3: spec.provider.omni.endpont: unknown field; did you mean"),
        ("spec:\n  clusters: {}\n", "2: spec.clusters: unknown field; did you mean cluster?"),
        ("name: shop\nruntime: python\n", "1: name: unknown field; known fields: apiVersion, kind, metadata, spec"),
    ],
)
def test_a_typing_mistake_and_another_kind_of_file_are_refused(tmp_path, text, message):
    assert refusal(tmp_path, text).startswith(f"ksail.yaml:{message}")


def test_without_a_name_the_context_gives_it(tmp_path):
    text = cluster("connection: {context: 'admin@${STAGE:-dev}'}\nomni: {endpoint: https://o}")
    assert load_ksail(write(tmp_path, text), {}).spec["name"] == "dev"
    assert load_ksail(write(tmp_path, text), {"STAGE": "prod"}).spec["name"] == "prod"


def test_the_folder_of_patches_can_be_another(tmp_path):
    patch(tmp_path, "patches/cluster/a.yaml", "machine: {}\n")
    text = cluster("distributionConfig: ${FOLDER}\nworkers: 1\nomni: {endpoint: https://o}")
    assert load_ksail(write(tmp_path, text), {"FOLDER": "patches"}).spec["patches"][0]["name"] == "a"


def test_an_empty_variable_name_is_the_default(tmp_path):
    config = load_ksail(write(tmp_path, cluster("omni:\n  endpointEnvVar: ''\n  serviceAccountKeyEnvVar: ''")), {})
    assert (config.endpoint_env_var, config.service_account_key_env_var) == ("OMNI_ENDPOINT", "")


def test_the_placeholder_of_the_documentation_is_no_endpoint(tmp_path):
    path = write(tmp_path, SEED.replace("https://mine.", "https://<account>."))
    config = load_ksail(path, {})
    assert config.endpoint == ""
    assert config.warnings == (
        f"{path}:11: spec.cluster.omni.endpoint still contains the placeholder <account>: "
        "replace it with the name of your Omni account, or set OMNI_ENDPOINT",
    )
    assert load_ksail(path, {"OMNI_ENDPOINT": "https://mine"}).warnings == ()


def test_naming_the_default_key_variable_says_nothing(tmp_path):
    text = SEED.replace(
        '# serviceAccountKeyEnvVar: "MY_CUSTOM_OMNI_KEY"', "serviceAccountKeyEnvVar: OMNI_SERVICE_ACCOUNT_KEY"
    )
    assert load_ksail(write(tmp_path, text), {}).service_account_key_env_var == ""


def test_random_damage_gives_a_config_or_a_clear_error(tmp_path):
    pieces = ["&x ", "*x", "<<: *x", "{", "}", "[", "]", ":", "- ", "'", "\n", "  ", "!!int ", "~", "1e9", "é", "---"]
    choices = random.Random(11)
    for _ in range(500):
        text = SEED
        for _ in range(choices.randint(1, 4)):
            at = choices.randrange(len(text))
            text = text[:at] + choices.choice(pieces) + text[at + choices.randint(0, 8) :]
        try:
            load_ksail(write(tmp_path, text), {})
        except ConfigFileError as error:
            told = str(error)
        else:
            continue
        assert told.startswith(f"{tmp_path}/ksail.yaml:")


LARGE = "".join(f"      - {{id: m{number}, labels: [a, b]}}\n" for number in range(10_000))


def test_a_file_of_ten_thousand_lines_is_read(tmp_path):
    text = cluster("omni: {}") + "    workload:\n" + LARGE
    assert load_ksail(write(tmp_path, text), {}).spec["controlPlane"] == {"count": 1}


def test_of_ten_thousand_mistakes_the_first_are_told(tmp_path):
    first, *others, last = refusal(tmp_path, "spec:\n  provider:\n    omni:\n     machines:\n" + LARGE).splitlines()
    assert first == "ksail.yaml:5: spec.provider.omni.machines[0]: should be a string, not a mapping"
    assert len(others) == 9
    assert last == "and 9990 more"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("omni: {talosVersion: newest}", "ksail.yaml:3: spec.cluster.omni.talosVersion: "),
        ("omni: {}\nkubernetesVersion: 1.10", "ksail.yaml:4: spec.cluster.kubernetesVersion: "),
        (
            "workers: 1\nomni:\n  machines:\n  - 6a8c3b6e-6a0e-4b0c-8a9e-2f5d1f2b3c4d\n  - second",
            "ksail.yaml:7: spec.cluster.omni.machines[1]: ",
        ),
    ],
)
def test_what_a_cluster_cannot_be_is_told_where_it_is_written(tmp_path, fields, message):
    assert refusal(tmp_path, cluster(fields)).startswith(message)


def test_a_patch_that_omni_refuses_is_told_with_its_file(tmp_path):
    patch(tmp_path, "talos/cluster/a.yaml", "machine: {}\n")
    patch(tmp_path, "talos/workers/b.yaml", "machine: {token: x}\n")
    patch(tmp_path, "talos/workers/c.yaml", "cluster: {clusterName: x}\n")
    assert refusal(tmp_path, SEED).splitlines() == [
        'talos/workers/b.yaml: overriding "machine.token" is not allowed in the config patch',
        'talos/workers/c.yaml: overriding "cluster.clusterName" is not allowed in the config patch',
    ]


def test_text_needs_no_quotes(tmp_path):
    config = load_ksail(write(tmp_path, cluster("omni: {machineClass: 1.10, serviceAccountKeyEnvVar: yes}")), {})
    assert config.spec["controlPlane"]["machineClass"]["name"] == "1.10"
    assert config.service_account_key_env_var == "yes"


FLAT = "\n".join(line.strip() for line in SEED.splitlines())


@pytest.mark.parametrize(
    ("text", "line", "first", "part"),
    [
        (FLAT, 4, "name", "metadata (line 3)"),
        (FLAT.replace("metadata:\nname: my-omni-cluster\n", ""), 4, "cluster", "spec (line 3)"),
        # Of the current form, the YAML parser would only report the second `provider` as a duplicate.
        ("kind: Cluster\nspec:\ncluster:\nprovider: Omni\nprovider:\nomni:\n", 3, "cluster", "spec (line 2)"),
        (SEED.replace("    distribution", "  distribution"), 7, "distribution", "cluster (line 6)"),
        (SEED.replace("      endpoint", "    endpoint"), 11, "endpoint", "omni (line 9)"),
    ],
)
def test_a_file_that_has_lost_its_indentation_is_recognised(tmp_path, text, line, first, part):
    """As when it is copied from KSail's documentation, which shows its example without indentation."""
    with pytest.raises(ConfigFileError) as caught:
        load_ksail(write(tmp_path, text))
    assert str(caught.value) == (
        f"{tmp_path}/ksail.yaml:{line}: the file has lost its indentation: {first} is not indented below {part}. "
        "Indent the fields of each part by two spaces; a copy from a web page often loses them"
    )


def test_an_empty_part_before_another_one_is_no_lost_indentation(tmp_path):
    text = "spec:\n  cluster:\n  provider:\n    omni: {machineClass: big}\n"
    assert load_ksail(write(tmp_path, text), {}).spec["controlPlane"] == {"machineClass": {"name": "big", "size": 1}}
