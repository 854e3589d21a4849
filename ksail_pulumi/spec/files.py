"""Patches that stand in files: read once, where the user's program runs, and carried as text from there on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ksail_pulumi.spec.problems import InvalidCluster, Problem


def with_files(data: Mapping[str, Any], base: Path | None = None) -> dict[str, Any]:
    """The same inputs, every patch's `file` replaced by `inline` text and a `name`.

    As in omnictl, the name of such a patch is the path as it was written unless it has one of its own. What is not
    plain data (an output that is not known yet) is left alone.

    Args:
        data: The inputs, in wire names.
        base: What relative paths are relative to; the working directory if left out.

    Raises:
        InvalidCluster: A file cannot be read.
    """
    read, problems = read_files(data, base)
    if problems:
        raise InvalidCluster(problems)
    return read


def read_files(data: Mapping[str, Any], base: Path | None = None) -> tuple[dict[str, Any], list[Problem]]:
    """Like `with_files`, but the problems are returned, and the patches that have one are left out."""
    problems: list[Problem] = []
    read = _scope(data, "", base or Path(), problems)
    if isinstance(control_plane := read.get("controlPlane"), Mapping):
        read["controlPlane"] = _scope(control_plane, "controlPlane.", base or Path(), problems)
    if isinstance(workers := read.get("workers"), list | tuple):
        read["workers"] = [
            _scope(each, f"workers[{index}].", base or Path(), problems) if isinstance(each, Mapping) else each
            for index, each in enumerate(workers)
        ]
    if isinstance(machines := read.get("machines"), Mapping):
        read["machines"] = {
            key: _scope(each, f"machines.{key}.", base or Path(), problems) if isinstance(each, Mapping) else each
            for key, each in machines.items()
        }
    return read, problems


def _scope(data: Mapping[str, Any], prefix: str, base: Path, problems: list[Problem]) -> dict[str, Any]:
    """Read the files of the patches that stand directly in `data`."""
    patches = data.get("patches")
    if not isinstance(patches, list | tuple):
        return dict(data)
    read = []
    for index, patch in enumerate(patches):
        field = f"{prefix}patches[{index}]"
        if not isinstance(patch, Mapping) or not isinstance(file := patch.get("file"), str):
            read.append(patch)
        elif patch.get("inline") is not None:
            problems.append(Problem(field, "path and inline are mutually exclusive: keep one of file and inline"))
        else:
            try:
                text = (base / Path(file).expanduser()).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                problems.append(Problem(f"{field}.file", f'failed to access "{file}": {reason}'))
                continue
            rest = {key: value for key, value in patch.items() if key != "file"}
            read.append({"name": file, **rest, "inline": text})
    return {**data, "patches": read}
