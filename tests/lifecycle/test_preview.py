"""What would happen, told without writing anything."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from ksail_pulumi.errors import OmniError, WaitTimeoutError
from ksail_pulumi.lifecycle.preview import Replacement, preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_STATUS, machine_name
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


@pytest.mark.parametrize("version", [{}, {"talosVersion": "1.13.8"}])
def test_extensions_are_checked_for_the_version_that_is_chosen(lab: Lab, needs: Needs, version: dict[str, str]) -> None:
    needs(1)
    names = ["siderolabs/does-not-exist", "siderolabs/util-linux-tools"]
    found = look(lab, systemExtensions=names, controlPlane={"systemExtensions": names[1:]}, **version)
    assert [problem.field for problem in found.failures] == ["systemExtensions[0]"]
    assert re.search(r'is not available for Talos version "\d', found.failures[0].reason)
    assert not look(lab, systemExtensions=names[1:], **version).failures


def test_extensions_are_checked_for_the_version_that_a_cluster_has(lab: Lab, needs: Needs) -> None:
    needs(1)
    lab.create(talosVersion="1.13.7", kubernetesVersion="1.35.7", waitFor="none")
    found = look(lab, {}, systemExtensions=["siderolabs/does-not-exist"])
    assert [str(problem) for problem in found.failures] == [
        'systemExtensions[0]: extension "siderolabs/does-not-exist" (entry 0) is not available for Talos version '
        '"1.13.7"'
    ]


def test_the_id_of_a_health_check_is_checked_with_the_name_that_a_cluster_gets(lab: Lab, needs: Needs) -> None:
    needs(1)
    checks = [{"name": "dns", "job": {"kind": "Job"}}, {"idOverride": "DNS", "job": {"kind": "Job"}}]
    spec = parse_cluster({"name": "West_1", "healthChecks": checks})
    found = preview(spec, None, lab.mark, lab.client)
    why = (
        "cannot be used to build the runner name: a lowercase RFC 1123 subdomain must consist of lower case "
        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    )
    assert {problem.field: problem.reason for problem in found.failures} == {
        "healthChecks[0].name": f"healthcheck ID {why}; change it or the name of the cluster, or set idOverride",
        "healthChecks[1].idOverride": f"healthcheck ID {why}",
    }


@pytest.mark.parametrize(("check_id", "found"), [("a" * 236, 0), ("a" * 237, 1), ("a.b", 0), ("a.", 1)])
def test_the_id_of_a_health_check_must_fit_the_name_of_its_job(lab: Lab, check_id: str, found: int) -> None:
    spec = lab.spec(healthChecks=[{"idOverride": check_id, "job": {"kind": "Job"}}])
    assert len(preview(spec, None, lab.mark, lab.client).failures) == found


def test_a_patch_that_omni_cannot_store_is_refused_before_there_is_a_cluster(lab: Lab, needs: Needs) -> None:
    needs(1)
    content = base64.b64encode(random.Random(1).randbytes(2_250_000)).decode()
    large = {
        "name": "large",
        "inline": {"machine": {"files": [{"content": content, "path": "/var/a", "op": "create"}]}},
    }
    found = look(lab, patches=[GOOD, large])
    assert [problem.field for problem in found.failures] == ["patches[1].inline"]
    assert "Omni can store at most 2097152" in found.failures[0].reason
    with pytest.raises(OmniError, match=r"larger than max \(2\d+ vs\. 2097152\)"):
        lab.create(patches=[GOOD, large], waitFor="none")


def test_a_file_that_talos_cannot_read_back_is_a_warning(lab: Lab, needs: Needs) -> None:
    needs(1)
    files = [{"content": content, "path": "/var/a", "op": "create"} for content in ("a\n  b\n", "  a\nb\n")]
    found = look(lab, workers=[{"count": 0, "patches": [{"name": "a", "inline": {"machine": {"files": files}}}]}])
    assert not found.failures
    assert [line.partition(": ")[0] for line in found.warnings] == ["workers[0].patches[0]"]
    assert "the content of machine.files[1] begins with a blank" in found.warnings[0]


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


def test_a_machine_that_leaves_and_that_omni_cannot_wipe_is_named(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(2)
    worker = lab.create(workers=1).nodes[1]["id"]
    lab.cut_off(worker, simulator)
    (refused,) = preview(lab.spec(), lab.spec(workers=1), lab.mark, lab.client).failures
    assert refused.field == "onUpdate.disconnectedMachines"
    assert f"({worker}), and Omni cannot wipe them" in refused.reason
    outcomes = {"wait": "the update waits for them", "remove": "they are removed from Omni without a wipe"}
    for choice, what in outcomes.items():
        spec = lab.spec(onUpdate={"disconnectedMachines": choice})
        (warning,) = preview(spec, lab.spec(workers=1), lab.mark, lab.client).warnings
        assert warning.endswith(f"({worker}): {what}")
    simulator.faults.disconnected.discard(worker)


def test_a_machine_that_an_earlier_attempt_left_behind_is_named(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(2)
    old = lab.create(workers=1)
    worker = old.nodes[1]["id"]
    lab.cut_off(worker, simulator)
    with pytest.raises(WaitTimeoutError):
        lab.update(old, onUpdate={"disconnectedMachines": "wait"}, session=lab.session(seconds=3))
    name = machine_name(lab.client.state.get(MACHINE_STATUS, worker))
    waits, removes = "the update waits for them", "they are removed from Omni without a wipe"
    for choice, what in {"fail": waits, "wait": waits, "remove": removes}.items():
        found = preview(lab.spec(onUpdate={"disconnectedMachines": choice}), lab.spec(), lab.mark, lab.client)
        assert not found.failures
        assert [line for line in found.warnings if worker in line] == [
            f"machines that leave the cluster are not connected to Omni: {name}: {what}"
        ]
    simulator.faults.disconnected.discard(worker)


def test_an_upgrade_that_will_stall_is_forecast_with_the_machine(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    needs(3)
    old = {"talosVersion": "1.13.7", "workers": 2}
    lab.create(**old)
    worker, locked = sorted(lab.machines("workers"))
    lab.cut_off(worker, simulator)
    new = {**old, "talosVersion": "1.13.8", "backupBefore": ["upgrade"], "machines": {locked: {"locked": True}}}
    found = look(lab, old, **new)
    [warning] = found.warnings
    assert warning.startswith("the upgrade waits for machines that are not ready: ")
    assert f"{worker}" in warning
    assert "not connected to Omni" in warning
    assert "a backup of etcd is taken before the upgrade; if that fails, nothing is changed" in found.forecasts
    assert not found.failures
    assert look(lab, old, **{**new, "talosVersion": "1.13.7"}).warnings == ()


def test_a_store_for_backups_that_is_missing_is_found_before_the_upgrade(
    lab: Lab, needs: Needs, simulator: Simulator
) -> None:
    needs(1)
    old = {"talosVersion": "1.13.7"}
    lab.create(**old)
    simulator.faults.no_backup_store = True
    time.sleep(0.2)
    found = look(lab, old, talosVersion="1.13.8", backupBefore=["upgrade", "delete"])
    assert [problem.field for problem in found.failures] == ["backupBefore"]
    assert [line.split(":")[0] for line in found.warnings] == [
        "the cluster cannot be deleted as long as backupBefore has 'delete'"
    ]


def test_the_backup_of_a_cluster_that_is_replaced_is_forecast(lab: Lab, needs: Needs) -> None:
    needs(1)
    lab.create()
    replaced = [Replacement(lab.name, backed_up=True)]
    found = preview(parse_cluster({"name": f"{lab.name}-b"}), None, lab.mark, lab.client, replaced=replaced)
    assert f"cluster {lab.name} is deleted first, after a backup of etcd, and" in found.forecasts[0]
