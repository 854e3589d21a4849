"""Pulumi stacks in a temporary folder: with the real `pulumi` command, through the Automation API."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.errors import InputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulumi import automation

_LEFT_OUT = {".git", ".pulumi", "__pycache__", "node_modules"}


class PulumiStacks:
    """Makes stacks: `pulumi_stack(program)`, or `pulumi_stack("path/of/a/project", "dev")`."""

    def __init__(self, folder: Path) -> None:
        """Keep everything in a folder."""
        self._folder = folder
        self._copies: dict[Path, Path] = {}

    def __call__(self, program: automation.PulumiFn | str | os.PathLike[str], name: str = "test") -> automation.Stack:
        """A stack of a program.

        Args:
            program: A function that declares resources, or the folder of a project. The folder is copied without
                virtual environments, and the program runs with the Python of the test. Of the settings of a stack
                (`Pulumi.dev.yaml`), secrets and `omni:*` are left out.
            name: The name of the stack.

        Raises:
            InputError: There is no project in the folder.
            SettingsError: There is no `pulumi` command.
        """
        if shutil.which("pulumi") is None:
            raise SettingsError("the command pulumi is not on PATH: see https://www.pulumi.com/docs/install/")
        from pulumi import automation

        if isinstance(program, str | os.PathLike):
            return automation.create_or_select_stack(name, work_dir=str(self._copy(Path(program))))
        options = automation.LocalWorkspaceOptions(work_dir=str(self._new_folder()))
        return automation.create_or_select_stack(name, project_name="test", program=program, opts=options)

    def _copy(self, source: Path) -> Path:
        """A copy of a project; another stack of it has the same one."""
        source = source.resolve()
        if source not in self._copies:
            if not (source / "Pulumi.yaml").is_file():
                raise InputError("", f"there is no Pulumi.yaml in {source}")
            folder = self._new_folder()
            shutil.copytree(source, folder, ignore=_left_out, dirs_exist_ok=True)
            for file in folder.glob("Pulumi*.yaml"):
                adapted = _project if file.name == "Pulumi.yaml" else _stack
                file.write_text(yaml.safe_dump(adapted(yaml.safe_load(file.read_text()) or {}), sort_keys=False))
            self._copies[source] = folder
        return self._copies[source]

    def _new_folder(self) -> Path:
        folder = self._folder / f"program-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        return folder


def environment(folder: Path) -> dict[str, str]:
    """What `pulumi` needs in its environment to keep everything in a folder, except for its plugins.

    HOME stays: programs and Pulumi's plugins find caches and credentials there.
    """
    state, home = folder / "state", folder / "home"
    for each in (state, home):
        each.mkdir()
    plugins = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    if plugins.is_dir():
        (home / "plugins").symlink_to(plugins)
    return {
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_HOME": str(home),
        "PULUMI_CONFIG_PASSPHRASE": "ksail-pulumi",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(folder / "kube" / "config"),
        # A function as a program has no Pulumi.yaml that names its Python.
        **({"PULUMI_RUNTIME_VIRTUALENV": sys.prefix} if _in_environment() else {"PULUMI_PYTHON_CMD": sys.executable}),
    }


def _in_environment() -> bool:
    return sys.prefix != sys.base_prefix


def _left_out(folder: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name in _LEFT_OUT or (Path(folder) / name / "pyvenv.cfg").exists()}


def _project(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a project with the backend and the Python of the test."""
    runtime = settings.get("runtime")
    given = runtime.get("options", {}) if isinstance(runtime, dict) else {}
    options = {key: value for key, value in given.items() if key not in ("virtualenv", "toolchain")}
    if _in_environment():
        options["virtualenv"] = sys.prefix
    rest = {key: value for key, value in settings.items() if key != "backend"}
    return {**rest, "runtime": {"name": "python", "options": options}}


def _stack(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a stack without secrets, whose passphrase is unknown, and without an Omni."""
    config = settings.get("config") or {}
    return {"config": {key: value for key, value in config.items() if not key.startswith("omni:") and _plain(value)}}


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return "secure" not in value and all(map(_plain, value.values()))
    return all(map(_plain, value)) if isinstance(value, list) else True
