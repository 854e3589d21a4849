"""The interpreter that Pulumi starts the provider of clusters with.

It is not the one that runs the plugin: the engine starts `pulumi-resource-pulumi-python`, which looks for a virtual
environment of its own accord. In a project in another language it finds none, unless the project names one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from ksail_pulumi.errors import SettingsError


def refuse_other_interpreter() -> None:
    """Find out whether the provider of clusters can start.

    Raises:
        SettingsError: It would start with an interpreter that does not have this package.
    """
    if os.name != "posix" or (reason := _why_not(_interpreter(dict(os.environ)))) is None:
        return
    raise SettingsError(
        f"{reason}. Name the virtual environment with ksail-pulumi in Pulumi.yaml, under runtime.options: "
        f"`virtualenv: {sys.prefix}`"
    )


def _interpreter(environ: dict[str, str]) -> str:
    """What `pulumi-resource-pulumi-python` starts."""
    virtualenv = environ.get("PULUMI_RUNTIME_VIRTUALENV")
    if not virtualenv and environ.get("PULUMI_RUNTIME_TOOLCHAIN") == "uv":
        virtualenv = ".venv"
    return str(Path(virtualenv, "bin", "python")) if virtualenv else environ.get("PULUMI_PYTHON_CMD") or "python3"


@cache
def _why_not(command: str) -> str | None:
    python = shutil.which(command)
    if python is None:
        return f"Pulumi starts the provider of clusters with {command}, which does not exist"
    if Path(python).parent.parent.resolve() == Path(sys.prefix).resolve():
        return None
    done = subprocess.run([python, "-c", "import ksail_pulumi.provider.cluster"], capture_output=True, check=False)
    if done.returncode == 0:
        return None
    return f"Pulumi starts the provider of clusters with {python}, which does not have the package ksail-pulumi"
