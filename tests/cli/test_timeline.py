"""`ksail-pulumi timeline`: the last change of a cluster as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_SET_NODE, Resource
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup
from tests.pictures.drawn import check, names, texts

from .clusters import client_of, shop, use, wait_until_joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.server import Simulator

FIRST, SECOND = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "ab")


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with shop(
        machines=3, workers=2, patches=[{"name": "time", "inline": {"machine": {"sysctls": {"a": "Zsecret"}}}}]
    ) as omni:
        versions = specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.36.3")
        client_of(omni).state.create(Resource(CLUSTER, "empty", versions))
        yield omni


def facts(svg: str) -> str:
    """What is said about the change, which may take several lines."""
    return " ".join(texts(svg)[1:5])


def drawn(capsys: pytest.CaptureFixture[str], name: str = "shop") -> str:
    assert main(["timeline", name]) == 0
    svg = capsys.readouterr().out
    check(svg)
    return svg


def test_a_creation_with_who_made_it_and_what_waited_for_what(account, monkeypatch, capsys):
    use(monkeypatch, account, "Auditor")
    svg = drawn(capsys)
    assert "@serviceaccount.omni.sidero.dev" in facts(svg)
    assert "added: 1 cluster, 1 patch, 2 machine sets, 3 machines" in facts(svg)
    lanes = [name.partition(":")[0] for name in names(svg)[1:]]
    assert [lanes[0], *lanes[2:3], *lanes[5:]] == [
        "written to Omni", "set control-planes", "set workers", "etcd", "Kubernetes API", "Talos version",
        "Kubernetes version", "cluster",
    ]  # fmt: skip
    cluster = names(svg)[-1]
    assert cluster.startswith("cluster: RUNNING after ")
    assert " of it for " in cluster
    assert "Zsecret" not in svg


@pytest.mark.parametrize("role", ["Reader", "Operator"])
def test_without_the_audit_log_the_picture_says_what_it_does_not_know(account, monkeypatch, capsys, role):
    use(monkeypatch, account, role)
    svg = drawn(capsys)
    assert "added: 1 cluster, 1 patch, 2 machine sets, 3 machines" in facts(svg)
    assert "serviceaccount" not in svg
    assert any(text.startswith("Omni's audit log has no entries or cannot be read") for text in texts(svg))


def test_what_was_removed_is_known_from_the_audit_log(monkeypatch, capsys):
    with shop(machines=3, workers=2) as omni:
        state = client_of(omni).state
        worker = next(
            each.id
            for each in state.list(MACHINE_SET_NODE)
            if each.labels["omni.sidero.dev/machine-set"] == "shop-workers"
        )
        state.teardown(MACHINE_SET_NODE, worker)
        use(monkeypatch, omni)
        assert "removed: 1 machine" in " ".join(facts(drawn(capsys)).split())


def test_a_change_that_has_not_finished(monkeypatch, capsys):
    machines = [MachineSetup(FIRST), MachineSetup(SECOND)]
    with shop(machines=machines, faults=Faults(never_join=[SECOND]), workers=1, waitFor="none") as omni:
        wait_until_joined(omni, SECOND)
        use(monkeypatch, omni)
        svg = drawn(capsys)
    assert "not finished after" in facts(svg)
    assert [name for name in names(svg) if name.startswith(SECOND)]
    assert "after" not in names(svg)[-1]


def test_a_cluster_without_machine_sets(account, monkeypatch, capsys):
    use(monkeypatch, account)
    svg = drawn(capsys, "empty")
    assert "added: 1 cluster" in facts(svg)


def test_a_picture_is_written_to_a_file(account, monkeypatch, capsys, tmp_path):
    use(monkeypatch, account)
    file = tmp_path / "shop.svg"
    assert main(["timeline", "shop", "--file", str(file)]) == 0
    assert capsys.readouterr().err == f"wrote {file}\n"
    assert main(["timeline", "shop", "--file", str(file)]) == 1
    assert main(["timeline", "shop", "--file", str(file), "--force"]) == 0
    check(file.read_text())


def test_a_cluster_that_does_not_exist(account, monkeypatch, capsys):
    use(monkeypatch, account)
    assert main(["timeline", "nowhere"]) == 1
    assert "cluster not found: nowhere" in capsys.readouterr().err
