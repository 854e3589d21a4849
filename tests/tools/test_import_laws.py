"""The import laws in pyproject.toml catch what they are there for: each test breaks one in a copy of the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

ROOMS = "rooms import one way, and there are no others"
SIMULATOR = "the simulator shares only the wire with the client"
SIMULATE = "only the simulate command starts a simulator"
CIRCLES = "no import circles, not even for types"
PULUMI = "only the provider and the stacks of tests import pulumi"
PURE = "planning, formats and the model talk to nobody"
FACE = "no room imports the public face"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laws")
    shutil.copytree(ROOT / "ksail_pulumi", folder / "ksail_pulumi", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT], cwd=folder, capture_output=True, text=True, check=False)


def test_the_package_keeps_the_laws(package: Path) -> None:
    done = lint(package)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("law", "module", "line"),
    [
        (ROOMS, "utils", ""),
        (ROOMS, "plan/breach", "from ksail_pulumi import lifecycle"),
        (ROOMS, "model/breach", "import ksail_pulumi.omni.resources"),
        (ROOMS, "omni/breach", "from ksail_pulumi.model import cluster"),
        (ROOMS, "lifecycle/breach", "from ksail_pulumi.simulator import store"),
        (ROOMS, "cli/breach", "from ksail_pulumi import provider"),
        (SIMULATOR, "simulator/breach", "from ksail_pulumi.omni import channel"),
        (SIMULATOR, "simulator/breach", "from ksail_pulumi.plan import diff"),
        (SIMULATE, "cli/breach", "from ksail_pulumi.simulator import server"),
        ("the provider does not know the simulator", "provider/breach", "import ksail_pulumi.simulator"),
        (PULUMI, "lifecycle/breach", "import pulumi"),
        (PULUMI, "cli/breach", "from pulumi import log"),
        (PULUMI, "simulator/breach", "import pulumi.dynamic"),
        (PURE, "plan/breach", "import grpc"),
        (PURE, "model/breach", "from urllib import request"),
        (FACE, "cli/breach", "from ksail_pulumi import OmniCluster"),
    ],
)
def test_a_breach_is_caught(package: Path, law: str, module: str, line: str) -> None:
    breach = package / "ksail_pulumi" / f"{module}.py"
    breach.write_text(f"{line}\n")
    try:
        done = lint(package)
    finally:
        breach.unlink()
    assert done.returncode == 1
    assert any(shown.startswith(law) and "BROKEN" in shown for shown in done.stdout.splitlines()), done.stdout


def test_a_circle_of_type_imports_is_caught(package: Path) -> None:
    one, other = (package / "ksail_pulumi/plan" / f"{name}.py" for name in ("breach", "breach_too"))
    for file, imported in ((one, other), (other, one)):
        file.write_text(
            f"import typing\n\nif typing.TYPE_CHECKING:\n    from ksail_pulumi.plan import {imported.stem}\n"
        )
    try:
        done = lint(package)
    finally:
        one.unlink()
        other.unlink()
    assert done.returncode == 1
    assert any(shown.startswith(CIRCLES) and "BROKEN" in shown for shown in done.stdout.splitlines()), done.stdout
