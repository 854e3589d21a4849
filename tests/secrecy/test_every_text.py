"""Every text that the package can make for a user is made, and none shows what may be secret.

The texts are collected by walking the code. They are made by running the other tests once more, with canaries in every
cluster (`tests/secrecy/observer.py`); a constant text shows nothing and does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.apart import apart
from tests.secrecy.sites import REPORTS, ROOT, not_run, sites

if TYPE_CHECKING:
    from pathlib import Path

SUITES = ("access", "model", "formats", "goyaml", "addons", "plan", "omni", "cli", "provider", "lifecycle", "secrecy")
ELSEWHERE = (
    "cli/test_imports.py",
    "cli/test_simulate.py",
    "provider/test_another_omni.py",
    "provider/test_cluster.py",
    "provider/test_etcd_backup.py",
    "provider/test_host.py",
    "provider/test_machine_class.py",
    "provider/test_machine_config.py",
    "provider/test_secrecy.py",
    "provider/test_stderr.py",
)
"""Tests of a process of its own, where nothing looks at the texts."""
TWICE = (
    "formats/test_damaged_files.py",
    "formats/test_generated_files.py",
    "formats/test_schema.py",
    "formats/test_template_resources.py",
    "goyaml/test_goyaml.py",
    "lifecycle/test_account.py",
    "lifecycle/test_fault_sweep.py",
    "lifecycle/test_faults.py",
    "lifecycle/test_needed.py",
    "lifecycle/test_promises.py",
    "lifecycle/test_read.py",
    "lifecycle/test_revert.py",
    "lifecycle/test_soak.py",
    "lifecycle/test_stalled.py",
    "lifecycle/test_takeover.py",
    "lifecycle/test_update.py",
    "lifecycle/test_whole_model.py",
    "omni/test_omni.py",
    "plan/test_assemble.py",
    "secrecy/test_inputs.py",
)
"""Tests that take long and whose texts others make too, except some in `EXEMPT`. Their own values are not seen."""
SELECTED = "not ([lowest or no_command_imports or in_proportion)"
"""Without the tests on the oldest releases, which repeat those on the newest, and what makes no text of its own."""

# What no test of the suites makes in this process, and why its text cannot hold a secret.
EXEMPT = {
    "cli/simulate.py _refuse_another": "the name of an option and a number",
    "formats/ksail/read.py _Reader._patches": "a folder's name, and an error of the system",
    "goyaml/read.py _Composer._mapping": "a number of values, in a huge file; other texts of it are made",
    "cli/export.py _refuse_other_patches": "names of files",
    "provider/sessions.py perhaps_gone": "a URN; tests/provider/test_cluster.py",
    "testing/stacks.py PulumiStacks._new_folder": "a folder's name",
    "__init__.py __getattr__": "a name in the program's own import",
    "addons/catalogue.py published": "the name of a project",
    "cli/arguments.py count": "an argument of our own command, typed on the same screen",
    "cli/live.py cluster_rows": "two numbers",
    "cli/picture.py svg_of": "the name of a Python package; tests/cli/test_graph.py, in a process of its own",
    "cli/simulate.py _started": "a port",
    "cli/simulate.py run": "a command's name, typed on the same screen",
    "lifecycle/delete.py _wait_until_deleted": "a cluster's name",
    "lifecycle/identity.py wait_for_uuid": "a cluster's name and an endpoint",
    "lifecycle/preview.py _missing": "a cluster's name and an endpoint",
    "lifecycle/preview.py _replaces": "a cluster's name, its machines and its owner",
    "lifecycle/waiting/diagnosis.py _Blocking._outside": "a machine's name, its set and its stage",
    "lifecycle/waiting/progress.py _waiting_for": "a version",
    "lifecycle/update.py _present": "a cluster's name",
    "omni/tls.py look_closer": "an error of the TLS library about a server",
    "plan/etcd.py _by_number": "a number",
    "plan/findings.py _taken_over": "a cluster's name and its owner",
    "plan/ownership.py owner_by_urn": "no message: the mark of a resource, from its URN",
    "plan/versions.py resolve_versions": "a version that Omni offers",
    "provider/check.py _asked_twice": "a resource's and a cluster's name",
    "provider/check.py _warn_of_replacement": "the name of a field",
    "provider/configured.py _look_at_provider": "a provider's name; tests/e2e/test_canaries.py",
    "provider/configured.py look_at_settings": "a constant; tests/e2e/test_canaries.py",
    "provider/credentials.py differ": "the name of an output and a date",
    "provider/host/call.py call": "the name of a class of Python",
    "provider/looking.py _Asking._left_behind": "a cluster's name, its machines and an endpoint",
    "provider/verbs.py _read": "a cluster's name and an endpoint",
    "provider/verbs.py _in_short": "a number of machines and the versions",
    "testing/__init__.py __getattr__": "a name in the test's own import",
    "testing/stacks.py PulumiStacks._copy": "a folder of the test's own",
    "model/validation.py metadata_problem": "`label` or `annotation`, and sizes",
    "model/validation.py _name": "one of two constants",
    "model/validation.py _not_balanced": "one character of a disk selector",
}

# Made by tests with a provider process or the real command, or by none. They name machines, sets, classes, clusters,
# fields, versions, keys of labels and endpoints, and quote what Omni refuses through the gate.
EXEMPT |= dict.fromkeys(
    (
        "lifecycle/backup_first.py _back_up",
        "lifecycle/cut_off.py remove_cut_off",
        "lifecycle/etcd_backup.py back_up",
        "lifecycle/etcd_backup_kind.py EtcdBackups.create",
        "lifecycle/etcd_backup_kind.py EtcdBackups.preview",
        "lifecycle/etcd_backup_kind.py EtcdBackups.update",
        "lifecycle/kind.py refuse_foreign",
        "lifecycle/kind.py remove",
        "lifecycle/machine_class.py MachineClasses.delete",
        "lifecycle/machine_class.py _missing",
        "lifecycle/machine_class.py _not_there",
        "lifecycle/machine_config.py _Writer._await_labels",
        "lifecycle/machine_config.py _Writer._put.change",
        "lifecycle/preview.py _uncertain",
        "lifecycle/proof.py _Proof.wait",
        "lifecycle/queries.py extensions",
        "lifecycle/revert.py revert",
        "model/base.py omni_problems",
        "model/etcd_backup.py EtcdBackupInputs.problems",
        "model/machine_class.py MachineClassInputs.problems",
        "model/machine_class.py _selector",
        "model/machine_config.py MachineConfigInputs.problems",
        "model/validation.py install_rules",
        "model/validation.py kernel_args_rules",
        "model/validation.py metadata_rules",
        "model/validation.py same_patch_ids",
        "plan/backups.py store_problem",
        "plan/cut_off.py _leave",
        "plan/cut_off.py cut_off_warnings",
        "plan/cut_off.py refused_departures",
        "plan/graph.py _size",
        "plan/machine_class.py _in_use",
        "plan/machine_class.py deletion_warning",
        "plan/machine_class.py effects",
        "plan/machine_class.py kind_problems",
        "plan/machine_class.py takeover",
        "plan/machine_class.py unknown_provider",
        "plan/machine_fields.py set_twice",
        "plan/machine_findings.py _foreign_labels",
        "plan/machine_findings.py _set_by_cluster",
        "plan/machine_findings.py _set_by_others",
        "plan/machine_findings.py _to_take_over",
        "plan/machine_findings.py _what",
        "plan/machine_findings.py config_problems",
        "plan/machine_findings.py effects",
        "plan/machine_findings.py takeover",
        "plan/parts/install_disks.py patched_disks",
        "plan/parts/install_disks.py unsupported",
        "plan/parts/kernel_args.py effect",
        "plan/parts/patches.py effect",
        "plan/server_age.py _lacking",
        "plan/upgrades.py upgrade_forecast",
        "plan/upgrades.py upgrade_problems",
        "plan/upgrades.py upgrade_warnings",
        "provider/check.py _look",
        "provider/declaring.py imported_id",
        "provider/kinds.py Verbs._look",
        "provider/kinds.py Verbs._warn_of_replacement",
        "provider/kinds.py Verbs.read",
        "provider/kinds.py _too_late",
        "provider/own.py OwnResource._declare",
    ),
    "names, versions and numbers",
)


def test_the_texts_are_found_by_walking_the_code() -> None:
    found = apart(sites)
    assert len(found) > 200
    rooms = {site.module.partition("/")[0] for site in found}
    assert {"model", "formats", "addons", "plan", "lifecycle", "omni", "provider"} <= rooms
    known = {f"{site.module} {site.function}" for site in found}
    assert sorted(set(EXEMPT) - known) == []


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_every_text_is_made_and_shows_nothing_that_may_be_secret(tmp_path: Path) -> None:
    folders = [str(ROOT.parent / "tests" / suite) for suite in SUITES]
    ignored = [f"--ignore={ROOT.parent / 'tests' / file}" for file in (*ELSEWHERE, *TWICE)]
    options = [
        *ignored,
        "-m",
        "not sweep and not hypothesis",
        "-k",
        SELECTED,
        "-q",
        "--tb=no",
        "--timeout=600",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.secrecy.observer",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", str(2 * (os.cpu_count() or 1)), *options, *folders],
        cwd=ROOT.parent,
        env={**os.environ, REPORTS: str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # 1: some tests fail, as their clusters have more in them than they expect.
    assert done.returncode in (0, 1), done.stdout[-3000:]
    reports = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert sum(report["tests"] for report in reports) > 1500
    assert [report["leaks"] for report in reports if report["leaks"]] == []
    ran = {(module, line) for report in reports for module, line in report["ran"]}
    left = [site for site in not_run(ran, apart(sites)) if f"{site.module} {site.function}" not in EXEMPT]
    assert list(map(str, left)) == []
