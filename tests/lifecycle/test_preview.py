"""What would happen, told without writing anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ksail_pulumi.lifecycle.preview import Replacement, preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]
GOOD = {"name": "good", "inline": {"machine": {"sysctls": {"a": "1"}}}}
BAD = {"name": "bad", "inline": {"machine": {"sysctls_": {}}}}


def look(lab: Lab, old: dict[str, Any] | None = None, **inputs: Any) -> Findings:
    return preview(lab.spec(**inputs), lab.spec(**old) if old is not None else None, lab.mark, lab.client)


def test_a_new_cluster_is_forecast_and_nothing_is_written(lab: Lab, needs: Needs) -> None:
    needs(2)
    found = look(lab, workers=1, patches=[GOOD])
    assert not found.failures
    assert not found.warnings
    assert found.forecasts
    assert lab.client.state.find(CLUSTER, lab.name) is None


def test_omni_itself_judges_every_patch(lab: Lab, needs: Needs) -> None:
    machine = needs(1)[0]
    found = look(
        lab,
        controlPlane={"machines": [machine], "patches": [GOOD, BAD]},
        machines={machine: {"patches": [BAD]}},
        patches=[BAD, GOOD],
    )
    fields = {problem.field for problem in found.failures}
    assert fields == {
        "patches[0].inline",
        "controlPlane.patches[1].inline",
        f"machines.{machine}.patches[0].inline",
    }
    assert all("unknown keys" in problem.reason for problem in found.failures)
    assert not found.forecasts


def test_too_few_machines_are_a_warning_and_no_refusal(lab: Lab) -> None:
    found = look(lab, workers=100_000)
    assert not found.failures
    assert any("not enough available machines" in line for line in found.warnings)


def test_a_patch_that_the_cluster_has_already_is_not_judged_again(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(1)
    lab.create(patches=[GOOD], waitFor="none")
    assert not look(lab, {"patches": [GOOD]}, patches=[GOOD]).failures
    assert look(lab, {"patches": [GOOD]}, patches=[GOOD, BAD]).failures


def test_a_reader_may_preview(lab: Lab, simulator: Simulator) -> None:
    client = connect(Connection(simulator.endpoint, simulator.issue_key("reader", role="Reader")))
    found = preview(lab.spec(workers=1, patches=[GOOD]), None, lab.mark, client)
    assert not found.failures
    client.close()


def test_the_machines_of_the_cluster_that_is_replaced_may_be_named(lab: Lab, needs: Needs) -> None:
    machine = needs(1)[0]
    lab.create(controlPlane={"machines": [machine]}, waitFor="none")
    renamed = parse_cluster({"name": f"{lab.name}-new", "controlPlane": {"machines": [machine]}})
    beside = preview(renamed, None, OwnershipMark("organization/shop/dev/another"), lab.client)
    assert [problem.field for problem in beside.failures] == ["controlPlane.machines[0]"]
    instead = preview(renamed, None, lab.mark, lab.client, replaced=[Replacement(lab.name)])
    assert not instead.failures
    assert instead.forecasts[0] == f"cluster {lab.name} is deleted first, and its machines are wiped: {machine}"
