"""What the user is told when Omni cannot be reached or cannot give what is asked: the words, and no traceback."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e.life import no_key_in
from tests.e2e.project import ROOT, Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Run

NOTHING = {"OMNI_ENDPOINT": "", "OMNI_SERVICE_ACCOUNT_KEY": ""}
NOWHERE = "https://omni.invalid"

# What is known without a call, and what only Omni can tell: parts of the message, by resource.
KNOWN = {
    "no-endpoint": ("omni endpoint is required: ", "OMNI_ENDPOINT"),
    "no-key": ("omni service account key is not set: environment variable OMNI_SERVICE_ACCOUNT_KEY is not set",),
    "other-key": ("omni service account key is not set: environment variable MY_KEY is not set",),
    "not-base64": ("omni service account key is not valid: it is not base64", "environment variable NOT_BASE64 "),
    "expired": ("the key of omni service account 'expired' has expired on 20", " UTC; renew it"),
}
ASKED = {
    "revoked": ("does not accept the key of service account 'revoked'", "clock", "revoked", "role", "expires on "),
    "unreachable": (f"cannot connect to Omni at {NOWHERE} to ", "the host name omni.invalid is not known", ":443"),
}
REFUSED = {"reader": ("service account 'reader' may not create", "Changing clusters needs the role Operator")}


# What Pulumi shows of the program itself: while it runs, and in the summary.
OF_PROGRAM = re.compile(
    r"^.*pulumi:pulumi:Stack [\w-]+ .*\n"
    r"|^  pulumi:pulumi:Stack \([\w-]+\):\n((?:    .*\n|\n)*)",
    re.M,
)


def without_interrupt(output: str) -> str:
    """The output without what Python prints where Pulumi interrupts the program.

    After a refused resource Pulumi (3.276) sends a SIGINT to the program, which may be about to end.
    """
    of_program = "".join(OF_PROGRAM.findall(output)).rstrip()
    interrupted = of_program.endswith("\n    KeyboardInterrupt") and f"{ROOT / 'ksail_pulumi'}" not in of_program
    return OF_PROGRAM.sub("", output) if interrupted else output


def without_traceback(run: Run) -> str:
    output = without_interrupt(run.output)
    for word in ("Traceback", 'File "', "pulumi.dynamic", "grpc._channel"):
        assert word not in output, run.output
    return " ".join(output.split())


def tells(run: Run, severity: str, symptoms: Mapping[str, tuple[str, ...]]) -> None:
    without_traceback(run)
    told = run.told
    for resource, words in symptoms.items():
        assert f"{severity}: " in told[resource]
        for word in words:
            assert word in told[resource]


@pytest.mark.sweep
def test_what_is_missing_or_wrong_is_a_warning_in_preview_and_the_error_of_up(
    project: Project, simulator: Simulator
) -> None:
    revoked = simulator.issue_key("revoked")
    simulator.revoke_key(revoked)
    keys = {
        "NOT_BASE64": "%%%not-base64%%%",
        "EXPIRED": simulator.issue_key("expired", lifetime=timedelta(seconds=1)),
        "REVOKED": revoked,
        "READER": simulator.issue_key("reader", role="Reader"),
    }
    project.init()
    named = {
        name.lower().replace("_", "-"): {"endpoint": simulator.endpoint, "service_account_key_env_var": name}
        for name in (*keys, "MY_KEY")
    }
    named["other-key"] = named.pop("my-key")
    project.clusters(
        {
            **named,
            "no-endpoint": {},
            "no-key": {"endpoint": simulator.endpoint},
            "unreachable": {"endpoint": NOWHERE, "service_account_key_env_var": "READER"},
        }
    )
    time.sleep(1)  # so long a key lives at least
    preview = project.preview(environment=keys | NOTHING)
    assert preview.changes == {"create": 33}, preview.output
    tells(preview, "warning", KNOWN | ASKED)

    # With all that Pulumi itself can log, in files of the project's folder.
    logs = project.folder.parent / "logs"
    logs.mkdir()
    environment = keys | NOTHING | {"TMPDIR": str(logs)}
    up = project.up("--continue-on-error", "--logflow", "-v=9", environment=environment, fails=True)
    tells(up, "error", KNOWN | ASKED | REFUSED)
    assert "OmniCluster" in "".join(path.read_text() for path in logs.glob("pulumi.*"))
    text = project.stored_text()
    assert keys.pop("NOT_BASE64") not in text
    for key in keys.values():
        no_key_in(text, key)


@pytest.mark.sweep
def test_machines_that_do_not_count_are_explained(
    project: Project, simulator: Simulator, free_machines: list[str]
) -> None:
    simulator.faults.disconnected.add(free_machines[0])
    count = len(free_machines)
    project.init()
    project.clusters({"main": {"workers": count - 1}})
    run = project.run("up", "--yes", fails=True)  # previews first
    words = "not enough available machines in Omni for the requested node count"
    for severity in ("warning", "error"):
        assert f"{severity}: {words}: need {count}, got {count - 1}" in without_traceback(run)
    assert "(unavailable: " in run.told["main"]
    assert "connected" in run.told["main"]


def test_a_wrong_input_is_refused_in_preview_with_its_path(project: Project) -> None:
    project.init()
    project.clusters({"main": {"control_plane": {"machines": ["a"]}}})
    text = without_traceback(project.preview(fails=True))
    assert "has a problem: controlPlane.machines[0]: " in text
    assert "<nil>" not in text
    assert "has a problem: " in text
    project.clusters({"main": {"patches": [{"name": "p", "inline": {"cluster": {"clusterName": "x"}}}]}})
    text = without_traceback(project.preview(fails=True))
    assert "has a problem: patches[0]" in text
    assert "clusterName" in text


def test_a_mistake_in_ksail_yaml_is_told_with_its_line(tmp_path: Path, pulumi: dict[str, str]) -> None:
    project = Project.create(tmp_path, pulumi, {}, ROOT)
    file = project.folder / "ksail.yaml"
    file.write_text(file.read_text().replace("workers: 2", "workers: two"))
    project.init()
    text = without_traceback(project.preview(fails=True))
    assert 'error: ksail.yaml:16: spec.cluster.talos.workers: should be a whole number, not "two"' in text
