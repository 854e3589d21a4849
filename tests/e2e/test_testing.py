"""The fixtures for users' own tests: the tests in docs/testing.md, and what the fixtures keep from a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi import OmniCluster, testing
from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.errors import InputError, SettingsError
from ksail_pulumi.provider.contexts import file_for
from tests.e2e.project import ROOT

if TYPE_CHECKING:
    from ksail_pulumi.testing import PulumiStacks, Simulator

omni, pulumi_stack = testing.omni, testing.pulumi_stack


@pytest.fixture
def command(pulumi: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pulumi.items():
        monkeypatch.setenv(name, value)


@pytest.mark.sweep
def test_the_tests_in_the_documentation_pass(tmp_path: Path, pulumi: dict[str, str]) -> None:
    conftest, tests = re.findall(r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.S)
    shutil.copytree(ROOT / "examples/quickstart", tmp_path, dirs_exist_ok=True)
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_cluster.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"],
        cwd=tmp_path,
        env={**os.environ, **pulumi, "OMNI_ENDPOINT": "https://omni.invalid", "SIDERO_SERVICE_ACCOUNT_KEY": "other"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_leads_to_another_omni(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("OMNI_CA_FILE", "/etc/omni.pem")
    monkeypatch.setenv("SIDERO_SERVICE_ACCOUNT_KEY", "other")
    found: Simulator = request.getfixturevalue("omni")
    variables = {name: value for name, value in os.environ.items() if name.startswith(("OMNI_", "SIDERO_"))}
    assert variables == {
        "OMNI_ENDPOINT": found.endpoint,
        "OMNI_SERVICE_ACCOUNT_KEY": found.service_account_key,
    }


def test_the_kubeconfig_of_the_user_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    own = tmp_path / "config"
    own.touch()
    monkeypatch.setenv("KUBECONFIG", str(own))
    request.getfixturevalue("pulumi_stack")
    written = Path(str(file_for("west", {"context": "west"})))
    assert written != own
    assert written.is_relative_to(tmp_path.parent)


@pytest.mark.sweep
@pytest.mark.usefixtures("command")
def test_a_context_of_a_test_is_written_into_its_folder(
    tmp_path: Path, pulumi_stack: PulumiStacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    stack = pulumi_stack(lambda: OmniCluster("west", kubeconfig={"context": "west"}) and None)
    stack.up()
    assert Context.current(Path(os.environ["KUBECONFIG"]).read_text()).name == "west"
    assert not (tmp_path / ".kube").exists()


@pytest.mark.parametrize("given", ['"x"', "MachineSetup()", '["x"]', "3.0"])
def test_a_parameter_that_is_no_machines_is_named(tmp_path: Path, given: str) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfrom ksail_pulumi.testing import MachineSetup, omni\n"
        f'@pytest.mark.parametrize("omni", [{given}], indirect=True)\ndef test_it(omni): pass\n'
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--rootdir", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "TypeError: the machines of a simulated Omni should be a number, or a list of MachineSetup\n" in done.stdout


@pytest.mark.usefixtures("command")
def test_a_project_is_copied_without_its_python_its_secrets_and_its_omni(
    tmp_path: Path, pulumi_stack: PulumiStacks
) -> None:
    source = tmp_path / "shop"
    (source / ".env").mkdir(parents=True)
    (source / ".env/pyvenv.cfg").touch()
    (source / "__main__.py").write_text("import pulumi\npulumi.export('size', pulumi.Config().require('size'))\n")
    runtime = {"name": "python", "options": {"virtualenv": ".env", "toolchain": "pip"}}
    project = {"name": "shop", "runtime": runtime, "backend": {"url": "https://api.pulumi.com"}}
    (source / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    config = {
        "shop:size": "3",
        "shop:token": {"secure": "AAABAK"},
        "shop:nested": {"a": [{"secure": "AAABAK"}]},
        "omni:endpoint": "https://omni.invalid",
    }
    settings = yaml.safe_dump({"encryptionsalt": "v1:other", "config": config})
    (source / "Pulumi.dev.yaml").write_text(settings)
    stack = pulumi_stack(source, "dev")
    assert stack.get_all_config().keys() == {"shop:size"}
    assert stack.up().outputs["size"].value == "3"
    assert not (Path(stack.workspace.work_dir) / ".env").exists()
    assert (source / "Pulumi.dev.yaml").read_text() == settings
    assert pulumi_stack(source, "prod").workspace.work_dir == stack.workspace.work_dir


@pytest.mark.usefixtures("command")
def test_a_folder_without_a_project_is_refused(tmp_path: Path, pulumi_stack: PulumiStacks) -> None:
    with pytest.raises(InputError, match=r"there is no Pulumi\.yaml in"):
        pulumi_stack(tmp_path)


def test_a_missing_command_is_named(pulumi_stack: PulumiStacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="the command pulumi is not on PATH"):
        pulumi_stack(lambda: None)


def test_without_pytest_the_simulator_works_and_the_fixtures_name_the_remedy() -> None:
    program = (
        "import sys\n"
        "sys.modules['pytest'] = None\n"
        "from ksail_pulumi.testing import Simulator\n"
        "from ksail_pulumi import testing\n"
        "assert not hasattr(testing, 'other')\n"
        "from ksail_pulumi.testing import omni\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    reason = "the fixture omni needs pytest: pip install 'ksail-pulumi[testing]'"
    assert done.stderr.splitlines()[-1] == f"ImportError: {reason}"
