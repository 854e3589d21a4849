from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.resources import CLUSTER, LABEL_CONNECTED, MACHINE_STATUS
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup

from .clusters import client_of, shop, use, wait_until_joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.server import Simulator

FIRST, SECOND, THIRD = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "abc")
MACHINES = [MachineSetup(FIRST), MachineSetup(SECOND), MachineSetup(THIRD)]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with shop(machines=MACHINES, workers=2) as omni:
        yield omni


@pytest.fixture(scope="module")
def stuck() -> Iterator[Simulator]:
    """An Omni with a cluster whose second machine never gets ready."""
    with shop(
        machines=MACHINES, faults=Faults(never_join=[SECOND]), workers=[{"name": "all", "count": 2}], waitFor="none"
    ) as omni:
        wait_until_joined(omni, SECOND)
        yield omni


def test_a_healthy_cluster_is_shown_with_sets_and_machines(running, monkeypatch, capsys):
    use(monkeypatch, running)
    assert main(["status", "shop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shop is healthy: 3/3 machines running, control plane ready"
    assert [line.split()[0] for line in lines[1:3]] == ["Talos", "Kubernetes"]
    assert lines[3] == "  control-planes: Running, 1 of 1 machines healthy"
    assert lines[4].endswith(f"({FIRST}): running, Talos 1.13.8")
    assert lines[5] == "  workers: Running, 2 of 2 machines healthy"
    assert [line.count(": running, Talos 1.13.8") for line in lines[6:]] == [1, 1]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_status_for_programs(running, monkeypatch, capsys, form, read):
    use(monkeypatch, running, "Reader")
    assert main(["status", "shop", "--output", form]) == 0
    state = read(capsys.readouterr().out)
    assert (state["healthy"], state["omni"], state["phase"]) == (True, running.endpoint, "RUNNING")
    control_planes, workers = state["sets"]
    assert (control_planes["id"], control_planes["healthyMachines"]) == ("shop-control-planes", 1)
    assert [(each["id"], each["stage"], each["ready"]) for each in workers["machines"]] == [
        (SECOND, "RUNNING", True),
        (THIRD, "RUNNING", True),
    ]


def test_a_cluster_that_is_not_healthy_is_exit_code_3(stuck, monkeypatch, capsys):
    use(monkeypatch, stuck)
    assert main(["status", "shop"]) == 3
    assert capsys.readouterr().out.startswith("shop is not healthy: ")


def test_a_watch_ends_at_its_timeout_and_names_what_holds_the_cluster_up(stuck, monkeypatch, capsys):
    use(monkeypatch, stuck)
    assert main(["status", "shop", "--timeout", "2s", "--output", "json"]) == 3
    output = capsys.readouterr()
    [worker] = [each for each in json.loads(output.out)["sets"][1]["machines"] if each["id"] == SECOND]
    assert not worker["ready"]
    assert "ksail-pulumi: cluster shop is not healthy after 2s: " in output.err
    assert f"machine {SECOND}, shop-all: connected, " in output.err


def test_a_watch_ends_when_the_cluster_is_healthy(monkeypatch, capsys):
    with shop(machines=3, workers=2, waitFor="none") as omni:
        use(monkeypatch, omni)
        assert main(["status", "shop", "--watch"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("shop is healthy: 3/3 machines running")
    assert "/3 machines " in output.err


def test_on_a_terminal_the_watch_shows_a_tree(monkeypatch, capsys):
    faults = Faults(never_join=[SECOND])
    with shop(machines=MACHINES, faults=faults, workers=2, waitFor="none") as omni:
        use(monkeypatch, omni)
        monkeypatch.setenv("COLUMNS", "150")
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert main(["status", "shop", "--timeout", "2s"]) == 3
        faults.never_join.discard(SECOND)
        assert main(["status", "shop", "--watch"]) == 0
    text = capsys.readouterr().out
    assert "shop is not healthy: " in text.replace("\x1b[1;33m", "").replace("\x1b[0m", "")
    assert "└── " in text.splitlines()[-1]


def test_a_machine_that_is_not_connected_and_one_that_has_not_joined_are_shown(monkeypatch, capsys):
    with shop(machines=MACHINES, faults=Faults(disconnected=[THIRD]), controlPlane={"machines": [FIRST]}) as omni:
        client = client_of(omni)
        omni.faults.disconnected.add(FIRST)
        with client.state.watch(Query(MACHINE_STATUS, id=FIRST)) as watch:
            while (event := watch.next(timeout=60)) is not None:
                if event.resource is not None and LABEL_CONNECTED not in event.resource.labels:
                    break
        use(monkeypatch, omni)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert main(["status", "shop", "--output", "json"]) == 3
        [machine] = json.loads(capsys.readouterr().out)["sets"][0]["machines"]
        assert (machine["connected"], machine["ready"]) == (False, False)
        assert ", not connected to Omni" in machine["state"]
        assert main(["status", "shop"]) == 3
        assert "not connected to Omni" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("terminal", [False, True])
def test_an_omni_that_goes_away_is_reported_within_seconds(monkeypatch, capsys, terminal):
    with shop(
        machines=MACHINES, faults=Faults(never_join=[SECOND]), workers=[{"name": "all", "count": 2}], waitFor="none"
    ) as omni:
        use(monkeypatch, omni)
        wait_until_joined(omni, SECOND)
        monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
        timer = threading.Timer(2.0, omni.stop)
        timer.start()
        assert main(["status", "shop", "--watch", "--timeout", "10s"]) == 3
        timer.join()
    captured = capsys.readouterr()
    watched = captured.out if terminal else captured.err.partition("ksail-pulumi: ")[0]
    assert "Omni has not answered since" in " ".join(watched.split())


def test_a_cluster_that_is_deleted_ends_the_watch(monkeypatch, capsys):
    faults = Faults(never_join=[SECOND])
    with shop(machines=MACHINES, faults=faults, workers=2, waitFor="none") as omni:
        use(monkeypatch, omni)
        client = client_of(omni)
        timer = threading.Timer(1.0, lambda: client.state.teardown(CLUSTER, "shop"))
        timer.start()
        assert main(["status", "shop", "--watch"]) == 1
        timer.join()
    assert capsys.readouterr().err.splitlines()[-1] == "ksail-pulumi: cluster shop was deleted"


@pytest.mark.parametrize("options", [[], ["--watch"]])
def test_a_cluster_that_does_not_exist_is_a_message(running, monkeypatch, capsys, options):
    use(monkeypatch, running)
    assert main(["status", "nowhere", *options]) == 1
    assert capsys.readouterr().err.startswith("ksail-pulumi: cluster not found: nowhere")


@pytest.mark.parametrize(
    ("timeout", "problem"), [("soon", "'soon' is not a duration"), ("0s", "should be longer than 0, not '0s'")]
)
def test_a_wrong_timeout_is_wrong_usage(capsys, timeout, problem):
    with pytest.raises(SystemExit) as caught:
        main(["status", "shop", "--timeout", timeout])
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err
