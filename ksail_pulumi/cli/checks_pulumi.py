"""The checks of `doctor` on this computer: the versions of this package, of Pulumi's SDK and of Pulumi's command."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

from ksail_pulumi.cli.checks import Check
from ksail_pulumi.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 238)
"""The oldest release of the command `pulumi` that is tested."""

_INSTALL = "install it: https://www.pulumi.com/docs/install/"
_SECONDS = 20.0


def pulumi_checks() -> Iterator[Check]:
    """The versions in use. Pulumi itself is not imported."""
    python = f"Python {platform.python_version()}"
    yield Check("ksail-pulumi", "ok", f"{metadata.version('ksail-pulumi')}, with {python}")
    yield _sdk()
    yield _command()


def _sdk() -> Check:
    try:
        return Check("Pulumi SDK", "ok", metadata.version("pulumi"))
    except metadata.PackageNotFoundError:
        return Check("Pulumi SDK", "failed", "the Python package pulumi is not installed", "pip install ksail-pulumi")


def _command() -> Check:
    path = shutil.which("pulumi")
    if path is None:
        text = "the command pulumi is not on PATH; `pulumi up` needs it, the commands of ksail-pulumi do not"
        return Check("pulumi", "warning", text, _INSTALL)
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=_SECONDS, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("pulumi", "failed", f"`{path} version` does not work: {type(error).__name__}", _INSTALL)
    found = parse_version(done.stdout.strip())
    version = done.stdout.strip().removeprefix("v")
    if found is None:
        return Check("pulumi", "failed", f"`{path} version` does not print a version", _INSTALL)
    if found.line < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Check("pulumi", "warning", f"{version} ({path}) is older than {oldest}", f"update it: {_INSTALL}")
    return Check("pulumi", "ok", f"{version} ({path})")
