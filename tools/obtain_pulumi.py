#!/usr/bin/env python3
"""Obtain the `pulumi` command: find it, download it, or build it; once.

In this order:

1. `pulumi` on PATH, if it is recent enough. It is used as it is, with the language host beside it.
2. One that this program has obtained before (in the cache folder).
3. Pulumi's own installer (`pulumi.automation.PulumiCommand.install`), where its host answers.
4. A build with Go, from the three modules in `go/` beside this file. Their `go.sum` pins every byte that goes into it.

It prints the folder that holds the command. What it is doing goes to stderr, so that this works before there is a
virtual environment (the standard library is all it needs):

    PATH="$(python3 tools/obtain_pulumi.py):$PATH" pulumi version

With `--json` it prints `{"folder", "version", "origin", "env"}` instead, or `{"reason"}` with exit status 1; `env` is
what a process needs that drives Pulumi for this checkout (PATH and two switches). With `--cached` it neither downloads
nor builds, so the tests can ask it: it answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

VERSION = "3.276.0"
"""The version to download or build."""
OLDEST = (3, 238)
"""Since this release a failing `after_create` hook fails the deployment; older ones are passed over on PATH."""
HOST_VERSION = "3.68.0"
"""The last release with the Python language host inside the `sdk/v3` module; newer ones are not on the module proxy."""
YAML_VERSION = "1.25.0"
"""The release of the language host for Pulumi YAML."""

TOOLS = Path(__file__).resolve().parent
GO = TOOLS / "go"
VENV_BIN = TOOLS.parent / ".venv" / "bin"
INSTALLER_URL = "https://get.pulumi.com/install.sh"
SDK = "github.com/pulumi/pulumi/sdk/v3"
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
YAML = "github.com/pulumi/pulumi-yaml"
FILES = ("pulumi", "pulumi-language-python", "pulumi-language-yaml", *(Path(script).name for script in SCRIPTS))

_PROBE = f"import urllib.request; urllib.request.urlopen({INSTALLER_URL!r}, timeout=5).read(1)"
_INSTALL = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


class UnavailableError(Exception):
    """This way to a `pulumi` is closed; the text says why."""


@dataclass(frozen=True)
class Pulumi:
    """A `pulumi` command that works."""

    folder: Path
    version: str
    origin: str

    def env(self) -> dict[str, str]:
        """What a process needs in its environment to run this command on a project of this checkout."""
        # The language host built here does not know `virtualenv:` and takes the first python3 on PATH.
        own = [] if self.origin == "PATH" else [str(self.folder)]
        return {
            "PATH": os.pathsep.join([str(VENV_BIN), *own, os.environ.get("PATH", os.defpath)]),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def cache_folder() -> Path:
    """Where obtained commands are kept: outside of every checkout, shared by all of them."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ksail-pulumi" / "pulumi"


def obtain(*, only_cached: bool = False) -> Pulumi:
    """Return a working `pulumi`.

    Args:
        only_cached: take what is on PATH or in the cache, and do nothing that needs a network or minutes.

    Raises:
        UnavailableError: none of the ways works; the text names each with its reason.
    """
    reasons = []
    for way in (on_path, cached):
        try:
            return way()
        except UnavailableError as error:
            reasons.append(str(error))
    if only_cached:
        raise UnavailableError("; ".join(reasons))
    with _locked():
        with contextlib.suppress(UnavailableError):
            return cached()  # built by another process while this one waited
        for make in (download, build):
            try:
                return _keep(make)
            except UnavailableError as error:
                reasons.append(str(error))
    raise UnavailableError("; ".join(reasons))


def on_path() -> Pulumi:
    """Return the user's own `pulumi`."""
    command = shutil.which("pulumi")
    if not command:
        raise UnavailableError("no `pulumi` on PATH")
    version = _version_of(Path(command))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise UnavailableError(f"{command} is v{version}, needed is at least v{OLDEST[0]}.{OLDEST[1]}")
    return Pulumi(Path(command).parent, version, "PATH")


def cached() -> Pulumi:
    """Return the `pulumi` obtained before."""
    folder = cache_folder() / f"v{VERSION}"
    missing = [name for name in FILES if not os.access(folder / name, os.X_OK)]
    if missing:
        raise UnavailableError(f"none in {folder}")
    return Pulumi(folder, _version_of(folder / "pulumi"), "cache")


def download(work: Path) -> Path:
    """Run Pulumi's own installer into `work`; return the folder with the commands."""
    python = VENV_BIN / "python"
    if not python.exists():
        raise UnavailableError("Pulumi's installer needs the virtual environment (`make setup`)")
    try:
        subprocess.run([python, "-c", _PROBE], check=True, capture_output=True, timeout=10)
    except (subprocess.SubprocessError, OSError):
        raise UnavailableError(f"Pulumi's download host does not answer ({INSTALLER_URL})") from None
    _say(f"downloading v{VERSION} with Pulumi's installer: about a minute, once; kept in {cache_folder()}")
    root = work / "download"
    try:
        subprocess.run([python, "-c", _INSTALL, root, VERSION], check=True, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise UnavailableError("Pulumi's installer did not end within 5 minutes") from None
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"Pulumi's installer failed: {_last_line(error.stderr)}") from None
    return root / "bin"


def build(work: Path) -> Path:
    """Build the commands with Go into `work`; return the folder with them."""
    if not shutil.which("go"):
        raise UnavailableError("Go, to build it with, is not installed")
    minutes = max(1, round(10 / (os.cpu_count() or 1)))
    _say(f"building v{VERSION} with Go: about {minutes} minutes, once; kept in {cache_folder()}")
    folder = work / "build"
    folder.mkdir()
    known_by = f"{SDK}/go/common/version.Version"
    _go_build(GO / "pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", known_by, VERSION, folder)
    python = f"{SDK}/python/cmd/pulumi-language-python"
    _go_build(GO / "pulumi-language-python", python, known_by, HOST_VERSION, folder)
    yaml = f"{YAML}/cmd/pulumi-language-yaml"
    _go_build(GO / "pulumi-language-yaml", yaml, f"{YAML}/pkg/version.Version", YAML_VERSION, folder)
    sdk = Path(_go(GO / "pulumi", "list", "-m", "-f", "{{.Dir}}", SDK).strip())
    for script in SCRIPTS:
        target = folder / Path(script).name
        shutil.copyfile(sdk / script, target)
        target.chmod(0o755)
    return folder


def _go_build(module: Path, package: str, known_by: str, version: str, folder: Path) -> None:
    flags = f"-s -w -X {known_by}=v{version}"
    _go(module, "build", "-tags", "osusergo,grpcnotrace", "-ldflags", flags, "-o", f"{folder}{os.sep}", package)


def _go(module: Path, *arguments: str) -> str:
    # The user's own flags and workspace would change what is built; the versions and sums are those of `module`.
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=module, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"`go {arguments[0]}` failed: {_last_line(done.stderr)}")
    return done.stdout


def _keep(make: Callable[[Path], Path]) -> Pulumi:
    """Run `make` in a temporary folder and move its result into the cache in one step."""
    target = cache_folder() / f"v{VERSION}"
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="tmp-") as work:
        made = make(Path(work))
        _version_of(made / "pulumi")
        shutil.rmtree(target, ignore_errors=True)  # incomplete or broken, or `cached` had taken it
        made.rename(target)
    return cached()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that is obtaining it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _version_of(command: Path) -> str:
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run([command, "version"], env=env, capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise UnavailableError(f"{command} does not run: {error}") from None
    found = re.match(r"v?(\d+\.\d+\.\d+)", done.stdout.strip())
    if not found:
        raise UnavailableError(f"{command} does not tell its version")
    return found[1]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _say(text: str) -> None:
    print(f"pulumi: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description="Obtain the `pulumi` command: find it, download it, or build it; once."
    )
    parser.add_argument("--json", action="store_true", help="print folder, version, origin and environment as JSON")
    parser.add_argument("--cached", action="store_true", help="neither download nor build")
    arguments = parser.parse_args()
    try:
        pulumi = obtain(only_cached=arguments.cached)
    except UnavailableError as error:
        if arguments.json:
            print(json.dumps({"reason": str(error)}))
        else:
            _say(f"not available: {error}")
        return 1
    if arguments.json:
        print(json.dumps({**asdict(pulumi), "env": pulumi.env()}, default=str))
    else:
        print(pulumi.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
