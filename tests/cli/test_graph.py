"""`ksail-pulumi graph`: clusters and plans as pictures."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, LABEL_MACHINE, Resource
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator
from tests.pictures.drawn import check, names, texts

from .clusters import client_of, create_shop, shop, use, wait_until_joined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND, THIRD, FOURTH = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "abcd")
MACHINES = [MachineSetup(each) for each in (FIRST, SECOND, THIRD, FOURTH)]


def patch(name: str) -> dict[str, object]:
    return {"name": name, "inline": {"machine": {"sysctls": {"kernel.domainname": "Zsecret"}}}}


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    """An Omni with the cluster `shop` of two machines, which has patches in all scopes, and an empty cluster."""
    with Simulator(machines=MACHINES) as omni:
        state = client_of(omni).state
        # Before the cluster: a patch that comes later makes its machine busy for a moment.
        text = specs_pb2.ConfigPatchSpec(data="machine: {sysctls: {kernel.domainname: Zsecret}}")
        state.create(Resource(CONFIG_PATCH, "500-mine", text, {LABEL_MACHINE: SECOND}, {"name": "of-machine"}))
        create_shop(
            omni,
            controlPlane={"machines": [FIRST]},
            workers=[{"machines": [SECOND], "patches": [patch("of-set")]}],
            patches=[patch("of-cluster")],
        )
        versions = specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.36.3")
        state.create(Resource(CLUSTER, "empty", versions))
        yield omni


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account, "Reader")


def template(folder: Path, *documents: str) -> str:
    path = folder / "cluster.yaml"
    head = "kind: Cluster\nname: shop\nkubernetes: {version: v1.36.3}\ntalos: {version: v1.13.8}\n"
    path.write_text("---\n".join([head, *documents]))
    return str(path)


def test_a_cluster_is_drawn_with_its_sets_machines_and_patches_by_scope(capsys):
    assert main(["graph", "shop"]) == 0
    svg = capsys.readouterr().out
    check(svg)
    found = texts(svg)
    order = ["Cluster shop", "of-cluster", "control-planes", FIRST, "workers", "of-set", SECOND, "of-machine"]
    assert [text for text in found if text in order] == order
    assert found.count("Running · 1 of 1 machines healthy") == 2
    assert found.count("running · Talos 1.13.8") == 2
    assert any(SECOND in name for name in names(svg))
    assert "Zsecret" not in svg


def test_mermaid_is_the_same_cluster(capsys):
    assert main(["graph", "shop", "--as", "mermaid"]) == 0
    chart = capsys.readouterr().out
    assert chart.startswith("flowchart LR\n  accTitle: Cluster shop\n")
    assert [f'"{each}"' in chart for each in ("of-cluster", "of-set", "of-machine")] == [True] * 3
    assert "Zsecret" not in chart


def test_a_picture_is_written_to_a_file_and_not_over_one(tmp_path, capsys):
    file = tmp_path / "shop.svg"
    assert main(["graph", "shop", "--file", str(file)]) == 0
    assert capsys.readouterr().err == f"wrote {file}\n"
    check(file.read_text())
    file.write_text("mine")
    assert main(["graph", "shop", "--file", str(file)]) == 1
    assert "the file exists; use --force to overwrite it" in capsys.readouterr().err
    assert main(["graph", "shop", "--file", str(file), "--force"]) == 0
    check(file.read_text())


def test_a_cluster_without_machine_sets(capsys):
    assert main(["graph", "empty"]) == 0
    svg = capsys.readouterr().out
    check(svg)
    assert "Cluster empty" in texts(svg)
    assert main(["graph", "empty", "--as", "mermaid"]) == 0
    assert "set0" not in capsys.readouterr().out


@pytest.mark.parametrize("form", ["svg", "mermaid"])
def test_a_cluster_that_does_not_exist(capsys, form):
    assert main(["graph", "nowhere", "--as", form]) == 1
    assert capsys.readouterr().err == (
        "ksail-pulumi: cluster not found: nowhere (run `ksail-pulumi list` to see all clusters)\n"
    )


@pytest.mark.parametrize("arguments", [[], ["shop", "--plan", "ksail.yaml"], ["shop", "--as", "png"]])
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as ended:
        main(["graph", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("command", "missing"), [("graph", "drawsvg"), ("graph", "stretchable"), ("timeline", "drawsvg")]
)
def test_without_the_extra_svg_is_an_error_that_names_it(command, missing):
    # In a process of its own: modules that are imported anew here would have classes that the others do not know.
    run = f"import sys; sys.modules[{missing!r}] = None; from ksail_pulumi.cli.app import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", run, command, "shop"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"ksail-pulumi: SVG needs the Python package {missing}, which is not installed: "
        "pip install 'ksail-pulumi[graph]'\n"
    )


def test_mermaid_needs_no_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "drawsvg", None)
    assert main(["graph", "shop", "--as", "mermaid"]) == 0
    assert "flowchart" in capsys.readouterr().out


def test_a_plan_is_drawn_with_what_it_adds_changes_and_removes(tmp_path, capsys):
    file = template(
        tmp_path,
        f"kind: ControlPlane\nmachines: [{FIRST}]\nsystemExtensions: [siderolabs/gvisor]\n",
        f"kind: Workers\nmachines: [{THIRD}]\n",
    )
    patches = "[{name: of-cluster, inline: {machine: {sysctls: {a: Zsecret}}}}, {name: more, inline: {machine: {}}}]"
    path = tmp_path / "cluster.yaml"
    path.write_text(path.read_text().replace("---", f"patches: {patches}\n---", 1))
    assert main(["graph", "--plan", file]) == 0
    svg = capsys.readouterr().out
    check(svg)
    assert {
        "Plan for shop", "~ of-cluster", "+ more", "- of-set", "+ list of system extensions", "+ added",
    } <= set(texts(svg))  # fmt: skip
    assert [name[:2] for name in names(svg) if THIRD in name or SECOND in name] == ["+ ", "- "]
    assert "Zsecret" not in svg
    assert main(["graph", "--plan", file, "--as", "mermaid"]) == 0
    assert capsys.readouterr().out.count(":::removed") == 2


def test_the_machines_of_a_set_that_a_plan_removes_are_removed(tmp_path, capsys):
    file = template(
        tmp_path, f"kind: ControlPlane\nmachines: [{FIRST}]\n", "kind: Workers\nname: other\nmachines: []\n"
    )
    assert main(["graph", "--plan", file]) == 0
    svg = capsys.readouterr().out
    check(svg)
    assert "- workers" in texts(svg)
    assert [name[:2] for name in names(svg) if SECOND in name] == ["- "]


def test_a_plan_without_changes_marks_nothing(tmp_path, capsys):
    assert main(["export", "shop", "--file", str(tmp_path / "shop.yaml")]) == 0
    capsys.readouterr()
    assert main(["graph", "--plan", str(tmp_path / "shop.yaml")]) == 0
    assert not [each for each in texts(capsys.readouterr().out) if each[:2] in ("- ", "~ ", "+ ")][3:]


def test_the_plan_of_a_new_cluster_with_a_machine_class(tmp_path, capsys):
    file = template(
        tmp_path,
        "kind: ControlPlane\nmachines: [" + THIRD + "]\n",
        "kind: Workers\nmachineClass: {name: big, size: 2}\n",
    )
    (tmp_path / "cluster.yaml").write_text((tmp_path / "cluster.yaml").read_text().replace("name: shop", "name: fresh"))
    assert main(["graph", "--plan", file]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ksail-pulumi: there is no plan for cluster fresh to draw: ")
    assert "big" in error


def test_a_new_cluster_is_all_added(tmp_path, capsys):
    file = template(tmp_path, f"kind: ControlPlane\nmachines: [{THIRD}]\n")
    (tmp_path / "cluster.yaml").write_text((tmp_path / "cluster.yaml").read_text().replace("name: shop", "name: fresh"))
    assert main(["graph", "--plan", file]) == 0
    svg = capsys.readouterr().out
    check(svg)
    assert {"Plan for fresh", "+ control-planes"} <= set(texts(svg))
    assert any(text.startswith("a new cluster · Talos 1.13.8") for text in texts(svg))


def test_with_too_few_machines_there_is_no_plan(tmp_path, capsys):
    path = tmp_path / "ksail.yaml"
    path.write_text(
        "apiVersion: ksail.io/v1alpha1\nkind: Cluster\nmetadata: {name: west}\n"
        "spec: {cluster: {distribution: Talos, provider: Omni, controlPlanes: 9}}\n"
    )
    assert main(["graph", "--plan", str(path)]) == 1
    assert "there is no plan for cluster west to draw: not enough available machines" in capsys.readouterr().err


def test_a_plan_needs_a_file_that_exists(tmp_path, capsys):
    assert main(["graph", "--plan", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_a_machine_that_is_not_ready(monkeypatch, capsys):
    with shop(machines=MACHINES[:2], faults=Faults(never_join=[SECOND]), workers=1, waitFor="none") as omni:
        wait_until_joined(omni, SECOND)
        use(monkeypatch, omni)
        assert main(["graph", "shop"]) == 0
        svg = capsys.readouterr().out
    check(svg)
    assert any(text.startswith("not healthy") for text in texts(svg))


def test_a_machine_that_omni_does_not_know_yet(monkeypatch, capsys):
    machines = {"controlPlane": {"machines": [FIRST]}, "workers": [{"machines": [SECOND]}]}
    with shop(machines=MACHINES[:1], waitFor="none", **machines) as omni:
        use(monkeypatch, omni)
        assert main(["graph", "shop"]) == 0
        svg = capsys.readouterr().out
    check(svg)
    assert "has not joined yet · not connected" in texts(svg)


def test_a_hundred_machines(monkeypatch, capsys):
    with shop(machines=100, controlPlane=3, workers=97) as omni:
        use(monkeypatch, omni)
        for command in ("graph", "timeline"):
            assert main([command, "shop"]) == 0
            svg = capsys.readouterr().out
            check(svg)
            assert any(text in ("97 machines", "91 other machines") for text in texts(svg))
