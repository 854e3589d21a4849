"""Files that people damaged: whatever is in them, a cluster or a clear refusal follows, soon and in little memory."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksail_pulumi.errors import ConfigFileError, InputError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.model.parse import parse_cluster, to_wire
from tests.sweeps import sample

MUTATIONS = 300
SECONDS = 10.0  # of the processor, for one file; far more than any needs
MEBIBYTES = 300

TEMPLATES = Path(__file__).parent / "data" / "templates"
MACHINE = "5b1c6d20-7e0a-4f6e-9a51-000000000001"

KSAIL = f"""\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata: &meta
  name: shop
spec:
  cluster:
    <<: {{distribution: Talos, provider: Omni}}
    distributionConfig: talos
    connection: {{context: admin@shop, timeout: 5m}}
    controlPlanes: 1
    workers: 2
    csi: Disabled
    metricsServer: false
    talos: {{controlPlanes: 1}}
  provider:
    omni:
      endpoint: "https://acme.omni.siderolabs.io"
      talosVersion: v1.13.8
      kubernetesVersion: 1.36.3 # as written
      machines:
        - {MACHINE}
        - {MACHINE[:-1]}2
        - {MACHINE[:-1]}3
"""
PATCH = (
    "# why\nmachine:\n  sysctls: {a.b: '1'}\n---\nkind: HostnameConfig\napiVersion: v1alpha1\nhostname: ${NAME:-x}\n"
)

# What people type by mistake, and what they send on purpose.
PIECES = [
    *(
        "\t",
        " ",
        "  ",
        "\n",
        "\r\n",
        ":",
        ": ",
        "-",
        "- ",
        "#",
        "'",
        '"',
        "|",
        ">",
        "|+\n",
        "---\n",
        "...\n",
        "?",
        "? ",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "<<: *a",
        "<<: [*a, *a]",
        "!!str ",
        "!!binary ",
        "!!map ",
        "! ",
        "%YAML 1.3\n",
    ),
    *(
        "null",
        "~",
        "yes",
        "0o17",
        "1e999",
        ".nan",
        "-.inf",
        "9" * 30,
        "9" * 5000,
        "1_000",
        "0x",
        "2024-01-01",
        "1:30:00",
    ),
    *("\x00", "\x07", "\x85", "\u2028", "\ufeff", "\ud800", "é", "🙂", "\\", "${", "${HOME}", "${X:-", "%s", "{0}"),
    *("kind: Cluster\n", "kind: Machine\n", "name: x\n", "file: /dev/null\n", "file: ../..\n", "file: '~nobody/x'\n"),
    *("inline: 1\n", "inline: |\n  [[[[", "machines: []\n", "workers: 3.5\n", "size: -1\n", "interval: 1h1h1h1h\n"),
    *("[" * 200, "{a: " * 200, "- " * 200, "a: &a [*a]\n", "&a " * 20, "x" * 20_000, "\n" * 2_000, "!" * 500),
]


def bases() -> dict[str, list[str]]:
    templates = sorted(path for path in TEMPLATES.glob("*.yaml") if "-resources" not in path.name)
    return {"template": [path.read_text() for path in templates], "ksail": [KSAIL], "patch": [PATCH]}


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(text) + 1)
        lines = text.split("\n")
        line = chance.randrange(len(lines))
        match chance.randrange(8):
            case 0 | 1:
                text = text[:start] + chance.choice(PIECES) + text[start:]
            case 2:
                text = text[:start] + chance.choice(PIECES) + text[start + chance.randint(1, 12) :]
            case 3:
                text = text[:start] + text[start + chance.randint(1, 30) :]
            case 4:
                del lines[line : line + chance.randint(1, 3)]
                text = "\n".join(lines)
            case 5:
                lines.insert(chance.randrange(len(lines) + 1), lines[line])
                text = "\n".join(lines)
            case 6:
                lines[line] = chance.choice(["", " ", "  ", "    "]) + lines[line].lstrip(" ")
                text = "\n".join(lines)
            case 7:
                key, colon, _ = lines[line].partition(":")
                lines[line] = f"{key}{colon} {chance.choice(PIECES)}"
                text = "\n".join(lines)
    return text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "files").symlink_to(TEMPLATES / "files")
    (tmp_path / "talos" / "cluster").mkdir(parents=True)
    (tmp_path / "talos" / "cluster" / "a.yaml").write_text(PATCH)
    (tmp_path / "ksail.yaml").write_text(KSAIL)
    return tmp_path


def load(folder: Path, kind: str) -> dict[str, Any]:
    """What a damaged file is read as, in the way of `OmniCluster`."""
    if kind == "template":
        return load_template(folder / "template.yaml")
    return {"name": "shop", **load_ksail(folder / "ksail.yaml", {"HOME": "/"}).spec}


FILES = {"template": "template.yaml", "ksail": "ksail.yaml", "patch": "talos/cluster/a.yaml"}


def read_once(folder: Path, kind: str, text: str) -> str:
    """Whether a file is taken or refused; everything else is an error of the test."""
    path = folder / FILES[kind]
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    begin = time.process_time()
    refusal: InputError | None = None
    try:
        json.dumps(to_wire(parse_cluster(load(folder, kind))), allow_nan=False)
    except InputError as error:
        refusal = error
    assert time.process_time() - begin < SECONDS
    if refusal is None:
        return "taken"
    assert 0 < len(str(refusal)) < 100_000
    assert not isinstance(refusal, ConfigFileError) or str(refusal).startswith(str(folder))
    return "refused"


def memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("seed", sample(range(1, 31)))
@pytest.mark.parametrize("kind", list(FILES))
def test_random_damage_gives_a_cluster_or_a_clear_refusal(project, kind, seed):
    chance = random.Random(f"{kind} {seed}")
    texts = bases()[kind]
    outcomes = {"taken": 0, "refused": 0}
    for text in texts:
        assert read_once(project, kind, text) == "taken"
    before = memory()
    for number in range(MUTATIONS):
        text = damaged(chance.choice(texts), chance)
        try:
            outcomes[read_once(project, kind, text)] += 1
        except Exception:
            (project / "culprit.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
            print(f"mutation {number}: {project / 'culprit.yaml'}")
            raise
    assert memory() - before < MEBIBYTES * 1024**2
    assert min(outcomes.values()) > MUTATIONS // 50, outcomes


def large_template() -> str:
    machines = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(2500)]
    lines = ["kind: Cluster", "name: shop", "kubernetes: {version: v1.36.3}", "talos: {version: v1.13.8}", "---"]
    lines += ["kind: ControlPlane", f"machines: [{machines[0]}]", "---", "kind: Workers", "machines:"]
    lines += [f"  - {machine}" for machine in machines[1:]]
    for machine in machines[1:2000]:
        lines += ["---", "kind: Machine", f"name: {machine}", "labels: {rack: a}"]
    return "\n".join(lines)


def large_ksail() -> str:
    machines = [f"          - {number:08x}-0000-4000-8000-000000000000" for number in range(10_000)]
    head = "spec:\n  cluster:\n    controlPlanes: 3\n    workers: 9997\n    omni:\n        machines:\n"
    return head + "\n".join(machines)


def deep(levels: int) -> str:
    return "".join(f"{'  ' * level}a:\n" for level in range(levels))


def bomb() -> str:
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    lines += [f"a{level}: &a{level} [" + f"*a{level - 1}," * 10 + "]" for level in range(1, 10_000)]
    return "\n".join(lines)


def anchors() -> str:
    lines = ["kind: Cluster", "name: shop", "labels: &l0 {a: b}"]
    lines += [f"l{level}: &l{level} {{<<: *l{level - 1}, k{level}: v}}" for level in range(1, 10_000)]
    return "\n".join(lines)


def unused_machines() -> str:
    machines = (f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 10_000))
    control_plane = f"kind: ControlPlane\nmachines: [{MACHINE}]\n"
    head = "kind: Cluster\nname: shop\nkubernetes: {version: v1.36.3}\ntalos: {version: v1.13.8}\n---\n"
    return head + control_plane + "".join(f"---\nkind: Machine\nname: {machine}\n" for machine in machines)


def huge() -> Iterator[tuple[str, Callable[[], str], str]]:
    yield "template", large_template, "taken"
    yield "ksail", large_ksail, "taken"
    for kind in FILES:
        for make in (
            lambda: deep(5_000),
            lambda: "[" * 1_000_000,
            lambda: "{a: " * 1_000_000,
            lambda: "- " * 1_000_000,
            bomb,
            anchors,
            unused_machines,
            lambda: "kind: Cluster\n" * 10_000,
            lambda: "---\nkind: Machine\n" * 5_000,
            lambda: "---\nx: " + "9" * 1_000_000,
            lambda: "x: *" + "9" * 1_000_000,
            lambda: "spec: {cluster: {distributionConfig: " + "9" * 20_000 + "}}",
            lambda: "kind: [Cluster]\n",
            lambda: "${X}" * 900_000 + ": [",
            lambda: "${X:-" * 700_000 + ": [",
            lambda: "? " * 100_000,
            lambda: "&a " * 100_000,
            lambda: "#" * 5_000_000,
            lambda: "a" * 1_000_000 + ": b",
            lambda: "\n" * 4_000_000,
        ):
            yield kind, make, "refused"


@pytest.mark.parametrize(("kind", "make", "outcome"), list(huge()))
def test_a_huge_file_gives_a_cluster_or_a_clear_refusal(project, kind, make, outcome):
    text = make()
    before = memory()
    # A patch is text, which may be anything that is YAML.
    assert read_once(project, kind, text) in {outcome, "taken" if kind == "patch" else outcome}
    assert memory() - before < MEBIBYTES * 1024**2
