"""The wheel alone, in an empty folder: everything from `init` to `destroy` works with the commands that texts name.

And what is published: its size, its files, and the page of the package.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.e2e.project import PASSPHRASE, ROOT

UV = ROOT / "tools" / "uv"


class Shell:
    """Runs commands in a folder, in an environment that has the wheel and nothing else of ours."""

    def __init__(self, folder: Path, pulumi: dict[str, str], venv: Path) -> None:
        self.folder = folder
        others = ("OMNI_", "SIDERO_", "PULUMI_", "VIRTUAL_ENV", "PYTHON")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(others)} | pulumi
        self.environment = {
            **environment,
            "PATH": f"{venv / 'bin'}{os.pathsep}{environment['PATH']}",
            "VIRTUAL_ENV": str(venv),
            "HOME": str(folder.parent / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder.parent / 'state'}",
            "PULUMI_HOME": str(folder.parent / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        }

    def __call__(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        begin = time.monotonic()
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        print(f"{time.monotonic() - begin:5.1f} s  {' '.join(command)}")
        assert done.returncode in codes, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def with_omni(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        return self("ksail-pulumi", "simulate", "--state", "omni.json", "--", *command, codes=codes)


RELEASE = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/clusters",
    "GITHUB_REF_NAME": "v1.2.3",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the sdist, in the same folder, as the workflow of a release builds it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [UV, "build", "--quiet", "--out-dir", folder, ROOT]
    subprocess.run(command, check=True, env={**os.environ, **RELEASE})
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def shell(tmp_path: Path, pulumi: dict[str, str], wheel: Path) -> Shell:
    for folder in ("shop", "home", "state"):
        (tmp_path / folder).mkdir()
    venv = tmp_path / "shop" / ".venv"
    subprocess.run([UV, "venv", "--quiet", "--seed", venv], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", venv, str(wheel)], check=True)
    return Shell(tmp_path / "shop", pulumi, venv)


@pytest.mark.sweep
def test_a_newcomer_gets_from_init_to_destroy(shell: Shell, wheel: Path) -> None:
    shell("ksail-pulumi", "init", "--workers", "1")
    assert wheel.name in (shell.folder / "requirements.txt").read_text()
    schema = json.loads(shell("pulumi", "package", "get-schema", ".venv/bin/pulumi-resource-ksail"))
    assert "ksail:index:KSailCluster" in schema["resources"]
    shell("pulumi", "install", "--non-interactive")
    shell("pulumi", "stack", "init", "dev")
    shell.with_omni("pulumi", "up", "--yes", "--non-interactive")

    (cluster,) = json.loads(shell.with_omni("ksail-pulumi", "list", "--output", "json"))
    assert cluster["name"] == "shop"
    assert json.loads(shell.with_omni("ksail-pulumi", "info", "shop", "--output", "json"))["ready"]
    machines = json.loads(shell.with_omni("ksail-pulumi", "machines", "--output", "json"))
    assert sum(machine["cluster"] == "shop" for machine in machines) == 2
    shell.with_omni("ksail-pulumi", "status", "shop")
    shell.with_omni("ksail-pulumi", "diagnose", "shop")
    shell.with_omni("ksail-pulumi", "doctor", codes=(0, 3))
    shell.with_omni("ksail-pulumi", "plan", "ksail.yaml")
    shell.with_omni("ksail-pulumi", "kubeconfig", "shop", "--merge")
    assert "admin@shop" in (shell.folder.parent / "home" / ".kube" / "config").read_text()
    shell.with_omni("ksail-pulumi", "talosconfig", "shop")
    assert json.loads(shell.with_omni("ksail-pulumi", "token", "shop"))["kind"] == "ExecCredential"
    shell.with_omni("ksail-pulumi", "export", "shop")

    shell.with_omni("pulumi", "destroy", "--yes", "--non-interactive")
    assert json.loads(shell.with_omni("ksail-pulumi", "list", "--output", "json")) == []


def test_the_wheel_is_small_and_has_only_the_package(wheel: Path) -> None:
    assert wheel.stat().st_size < 1_000_000
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ksail_pulumi"}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "ksail_pulumi").rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} == {name for name in names if "dist-info" not in name}


def test_the_page_of_the_package_leads_to_the_repository(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    home = "https://github.example/acme/clusters"
    assert f"Homepage, {home}" in metadata.get_all("Project-URL", [])
    targets = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert f"{home}/raw/v1.2.3/docs/demo.svg" in targets
    assert f"{home}/blob/v1.2.3/docs/configuration.md" in targets
    assert [target for target in targets if not target.startswith("https://")] == []


@pytest.mark.sweep
def test_the_sdist_installs(wheel: Path, tmp_path: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    subprocess.run([UV, "venv", "--quiet", tmp_path / "venv"], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", tmp_path / "venv", str(sdist)], check=True)
    command = [tmp_path / "venv" / "bin" / "ksail-pulumi", "schema", "args"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "controlPlane" in json.loads(shown)["properties"]
