"""What the user is told when Omni cannot be reached or cannot give what is asked: the words, and no traceback."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.e2e.project import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path

    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Run

ENDPOINT = "omni endpoint is required: "
KEY = "omni service account key is not set: environment variable OMNI_SERVICE_ACCOUNT_KEY is not set"
OTHER_KEY = "omni service account key is not set: environment variable MY_KEY is not set"


def without_traceback(run: Run) -> str:
    for word in ("Traceback", 'File "', "pulumi.dynamic", "grpc._channel"):
        assert word not in run.output, run.output
    return " ".join(run.output.split())


def test_preview_works_without_credentials_and_says_what_up_will_miss(project: Project) -> None:
    project.init()
    project.clusters({"main": {}, "other": {"service_account_key_env_var": "MY_KEY"}})
    nothing = {"OMNI_ENDPOINT": "", "OMNI_SERVICE_ACCOUNT_KEY": ""}
    preview = project.preview(environment=nothing)
    assert preview.changes == {"create": 3}
    assert "warning: " in preview.output
    assert ENDPOINT in without_traceback(preview)
    only_key = project.preview(environment=nothing | {"OMNI_ENDPOINT": "https://omni.example:443"})
    assert KEY in without_traceback(only_key)
    assert OTHER_KEY in without_traceback(only_key)


def test_up_says_what_is_missing_or_wrong(project: Project, simulator: Simulator) -> None:
    nowhere = "https://omni.invalid"
    revoked = simulator.issue_key("revoked")
    simulator.revoke_key(revoked)
    keys = {
        "NOT_BASE64": "%%%not-base64%%%",
        "EXPIRED": simulator.issue_key("expired", lifetime=timedelta(seconds=1)),
        "REVOKED": revoked,
        "READER": simulator.issue_key("reader", role="Reader"),
    }
    time.sleep(1)  # so long a key lives at least
    project.init()
    by_key = {key.lower(): {"endpoint": simulator.endpoint, "service_account_key_env_var": key} for key in keys}
    project.clusters(
        {
            **by_key,
            "no-endpoint": {},
            "no-key": {"endpoint": simulator.endpoint},
            "other-key": {"endpoint": simulator.endpoint, "service_account_key_env_var": "MY_KEY"},
            "unreachable": {"endpoint": nowhere, "service_account_key_env_var": "READER"},
        }
    )
    nothing = {"OMNI_ENDPOINT": "", "OMNI_SERVICE_ACCOUNT_KEY": ""}
    run = project.up("--continue-on-error", environment=keys | nothing, fails=True)
    text = without_traceback(run)
    for symptom in (ENDPOINT, KEY, OTHER_KEY):
        assert symptom in text
    assert "is not base64" in text
    assert "expired on " in text
    assert f"cannot connect to Omni at {nowhere}" in text
    assert ":443" in text
    for hint in ("clock", "revoked", "role"):
        assert hint in text
    for key in keys.values():
        assert key not in project.stored_text()


def test_machines_that_do_not_count_are_explained(
    project: Project, simulator: Simulator, free_machines: list[str]
) -> None:
    simulator.faults.disconnected.add(free_machines[0])
    project.init()
    project.clusters({"main": {"workers": len(free_machines) - 1}})
    text = without_traceback(project.up(fails=True))
    count = len(free_machines)
    words = "not enough available machines in Omni for the requested node count"
    assert f"{words}: need {count}, got {count - 1}" in text
    assert "others do not count: " in text
    assert "disconnected" in text or "not connected" in text


def test_a_wrong_input_is_refused_in_preview_with_its_path(project: Project) -> None:
    project.init()
    project.clusters({"main": {"control_plane": {"machines": ["a"]}}})
    text = without_traceback(project.preview(fails=True))
    assert "property controlPlane.machines[0]" in text
    assert "has a problem: " in text
    project.clusters({"main": {"patches": [{"name": "p", "inline": {"cluster": {"clusterName": "x"}}}]}})
    text = without_traceback(project.preview(fails=True))
    assert "property patches[0]" in text
    assert "clusterName" in text


def test_a_mistake_in_ksail_yaml_is_told_with_its_line(tmp_path: Path, pulumi: dict[str, str]) -> None:
    project = Project.create(tmp_path, pulumi, {}, ROOT)
    file = project.folder / "ksail.yaml"
    file.write_text(file.read_text().replace("workers: 2", "workers: two"))
    project.init()
    text = without_traceback(project.preview(fails=True))
    assert "error: ksail.yaml:16: spec.cluster.talos.workers: a whole number is expected, not 'two'" in text
