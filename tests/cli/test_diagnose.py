from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup

from .clusters import shop, use, wait_until_joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.server import Simulator

FIRST, SECOND = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "ab")
MACHINES = [MachineSetup(FIRST), MachineSetup(SECOND)]


@pytest.fixture(scope="module")
def stuck() -> Iterator[Simulator]:
    """An Omni with a cluster whose worker never gets ready."""
    with shop(machines=MACHINES, faults=Faults(never_join=[SECOND]), workers=1, waitFor="none") as omni:
        wait_until_joined(omni, SECOND)
        yield omni


def test_what_keeps_a_cluster_from_being_healthy_is_shown_with_the_log(stuck, monkeypatch, capsys):
    use(monkeypatch, stuck, "Reader")
    assert main(["diagnose", "shop"]) == 3
    text = capsys.readouterr().out
    assert text.startswith("shop is not healthy: ")
    assert f"\nmachine {SECOND}, shop-workers: connected, " in text
    assert "\n  the last lines of its log:\n    20" in text
    assert text.splitlines()[-1].startswith("Check the logs and the consoles of these machines.")


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_the_findings_for_programs(stuck, monkeypatch, capsys, form, read):
    use(monkeypatch, stuck)
    assert main(["diagnose", "shop", "--output", form]) == 3
    found = read(capsys.readouterr().out)
    assert (found["name"], found["healthy"], found["omni"]) == ("shop", False, stuck.endpoint)
    worker = next(each for each in found["findings"] if each["machine"] == SECOND)
    assert worker["about"].endswith(f"{SECOND}, shop-workers")
    assert 0 < len(worker["log"]) <= 5
    assert found["advice"]


def test_on_a_terminal_findings_have_marks(stuck, monkeypatch, capsys):
    use(monkeypatch, stuck)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["diagnose", "shop"]) == 3
    assert "✗" in capsys.readouterr().out


def test_a_healthy_cluster_has_no_findings(monkeypatch, capsys):
    with shop(machines=1) as omni:
        use(monkeypatch, omni)
        assert main(["diagnose", "shop"]) == 0
        assert capsys.readouterr().out.startswith("shop is healthy: 1/1 machines running")
        assert main(["diagnose", "shop", "--output", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_cluster_that_does_not_exist_is_a_message(stuck, monkeypatch, capsys):
    use(monkeypatch, stuck)
    assert main(["diagnose", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("ksail-pulumi: cluster not found: nowhere")
