from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator
from tests.cli.clusters import use

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBER, OFF, NEWER, LABELLED, PLAIN = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "abcde")
MACHINES = [
    MachineSetup(MEMBER, cores=2, memory_gib=4, disk_gb=40),
    MachineSetup(OFF),
    MachineSetup(NEWER, talos_version="1.99.0", installed=True, cores=8),
    MachineSetup(LABELLED, cores=16, memory_gib=64, disk_gb=480, labels={"rack": "a", "gpu": ""}),
    MachineSetup(PLAIN, cores=4, memory_gib=8, disk_gb=240),
]


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    """An Omni whose first machine is in the cluster `shop`, and whose second one is off."""
    with Simulator(machines=MACHINES, faults=Faults(disconnected=[OFF])) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        spec = parse_cluster({"name": "shop", "controlPlane": {"machines": [MEMBER]}, "waitFor": "none"})
        create(spec, OwnershipMark("org/web/dev/shop"), Session(client, Deadline.after(600)))
        yield omni


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account)


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_machines_are_shown_with_size_and_labels_and_why_they_are_not_free(capsys):
    assert main(["machines"]) == 0
    title, *shown = rows(capsys.readouterr().out)
    assert title == "MACHINE HOSTNAME CLUSTER FREE TALOS SIZE LABELS"
    found = {row.split()[0]: row for row in shown}
    assert list(found) == [MEMBER, OFF, NEWER, LABELLED, PLAIN]
    assert " shop no " in found[MEMBER]
    assert " not connected " in found[OFF]
    assert " running a newer Talos than 1.13.8 1.99.0 " in found[NEWER]
    assert found[LABELLED].endswith(" yes 1.13.8 16 cores, 64 GiB, 480 GB gpu, rack=a")
    assert found[PLAIN].endswith(" yes 1.13.8 4 cores, 8 GiB, 240 GB")


@pytest.mark.parametrize(
    ("selector", "machines"),
    [("rack = a", [LABELLED]), ("available, cores < 8", [PLAIN]), ("cluster = shop", [MEMBER]), ("!arch", [])],
)
@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_selector_chooses_machines(capsys, selector, machines, form, read):
    assert main(["machines", "--selector", selector, "--output", form]) == 0
    assert [machine["id"] for machine in read(capsys.readouterr().out)] == machines


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_machines_for_programs(capsys, form, read):
    assert main(["machines", "--output", form]) == 0
    found = {machine["id"]: machine for machine in read(capsys.readouterr().out)}
    assert (found[MEMBER]["cluster"], found[MEMBER]["free"]) == ("shop", False)
    assert found[MEMBER]["whyNotFree"] == "allocated to cluster shop"
    assert (found[OFF]["connected"], found[OFF]["whyNotFree"]) == (False, "not connected")
    labelled = found[LABELLED]
    assert (labelled["free"], labelled["whyNotFree"]) == (True, "")
    assert (labelled["cores"], labelled["memoryBytes"], labelled["diskBytes"]) == (16, 64 * 2**30, 480 * 10**9)
    assert labelled["labels"] == {"gpu": "", "rack": "a"}
    assert labelled["omniLabels"]["mem"] == "64GiB"


def test_an_account_without_such_machines_is_described_in_words(account, capsys):
    assert main(["machines", "--selector", "rack = z"]) == 0
    assert capsys.readouterr().out == f"{account.endpoint} has no machines that match the selector.\n"


def test_a_wrong_selector_is_a_message(capsys):
    assert main(["machines", "--selector", "a = ("]) == 1
    assert capsys.readouterr().err == 'ksail-pulumi: selector: "a = (" is not a selector: syntax error at character 1\n'


def test_a_reader_sees_all_machines(account, monkeypatch, capsys):
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.issue_key("onlooker", role="Reader"))
    assert main(["machines"]) == 0
    assert len(rows(capsys.readouterr().out)) == 6
