"""Reads the files of patches, manifests and jobs, once, in the program."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi.goyaml import MAX_BYTES
from ksail_pulumi.problems import InvalidCluster, Problem
from ksail_pulumi.redaction import short

if TYPE_CHECKING:
    from ksail_pulumi.problems import FieldPath


@dataclass(frozen=True)
class _Folders:
    """Where paths begin.

    Attributes:
        base: What relative paths are relative to.
        root: What the names that are made of absolute paths are relative to; None for the paths as they are.
    """

    base: Path
    root: Path | None

    def name(self, file: str) -> str:
        """The name of a patch or manifest in a file: the path as it is written, as in omnictl.

        An absolute path is another one in each checkout of a project, and so would be the ID of the patch in Omni.
        """
        if self.root is None or not Path(file).is_absolute():
            return file
        root, path = Path(os.path.realpath(self.root)), Path(os.path.realpath(Path(file).parent), Path(file).name)
        if not any(path.is_relative_to(each) for each in (root, *root.parents[:-1])):
            return file  # only the root of the file system is common to both
        return Path(os.path.relpath(path, root)).as_posix()


def with_files(data: Mapping[str, Any], base: Path | None = None, root: Path | None = None) -> dict[str, Any]:
    """Replace every `file` in the inputs by its text (`inline`, or `job` of a health check) and a `name`.

    As in omnictl, the default name of such a patch or manifest is the path as written. Values that are not plain data
    (outputs that are not known yet) are not changed.

    Args:
        data: The inputs, in wire names.
        base: The folder of relative paths; default: the working directory.
        root: The folder of the project. Names that are made of absolute paths are relative to it.

    Raises:
        InvalidCluster: A file cannot be read.
    """
    read, problems = read_files(data, base, root)
    if problems:
        raise InvalidCluster(problems)
    return read


def read_files(
    data: Mapping[str, Any], base: Path | None = None, root: Path | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Like `with_files`, but returns the problems and skips the entries that have one."""
    problems: list[Problem] = []
    folders = _Folders(base or Path(), root)
    read = _scope(data, (), folders, problems)
    read = _listed(read, ("manifests", "inline"), (), folders, problems)
    read = _listed(read, ("healthChecks", "job"), (), folders, problems)
    if isinstance(addons := read.get("addons"), Mapping):
        read["addons"] = {
            key: _entry(each, "inline", ("addons", key), folders, problems) for key, each in addons.items()
        }
    if isinstance(control_plane := read.get("controlPlane"), Mapping):
        read["controlPlane"] = _scope(control_plane, ("controlPlane",), folders, problems)
    if isinstance(workers := read.get("workers"), list | tuple):
        read["workers"] = [
            _scope(each, ("workers", index), folders, problems) if isinstance(each, Mapping) else each
            for index, each in enumerate(workers)
        ]
    if isinstance(machines := read.get("machines"), Mapping):
        read["machines"] = {
            key: _scope(each, ("machines", key), folders, problems) if isinstance(each, Mapping) else each
            for key, each in machines.items()
        }
    return read, problems


def _scope(data: Mapping[str, Any], at: FieldPath, folders: _Folders, found: list[Problem]) -> dict[str, Any]:
    """Read the files of the patches in `data`."""
    return _listed(data, ("patches", "inline"), at, folders, found)


def _listed(
    data: Mapping[str, Any], names: tuple[str, str], at: FieldPath, folders: _Folders, found: list[Problem]
) -> dict[str, Any]:
    """Read the files of the entries of a list; `names` are the name of the list and of the text field."""
    list_name, text_name = names
    entries = data.get(list_name)
    if not isinstance(entries, list | tuple):
        return dict(data)
    read = []
    for index, entry in enumerate(entries):
        with_text = _entry(entry, text_name, (*at, list_name, index), folders, found)
        if with_text is _SKIPPED:
            continue
        file = entry.get("file") if isinstance(entry, Mapping) else None
        if isinstance(file, str) and list_name in ("patches", "manifests"):
            # The name of a manifest stays as written: under a new ID, Omni would delete and apply its objects again.
            with_text = {"name": folders.name(file) if list_name == "patches" else file, **with_text}
        read.append(with_text)
    return {**data, list_name: read}


_SKIPPED = object()


def _entry(entry: Any, text_name: str, field: FieldPath, folders: _Folders, found: list[Problem]) -> Any:
    """An entry with the text of its `file`; as it is if there is none, and `_SKIPPED` if there is a problem with it."""
    if not isinstance(entry, Mapping) or not isinstance(file := entry.get("file"), str):
        return entry
    if entry.get(text_name) is not None:
        found.append(Problem(field, _EXCLUSIVE[text_name]))
        return _SKIPPED
    try:
        text = _text(folders.base / Path(file).expanduser())
    except (OSError, ValueError, RuntimeError) as error:
        reason = f"{_reason(error, folders.base)}{_elsewhere(file, folders.base)}"
        found.append(Problem((*field, "file"), f"failed to access the file: {reason}"))
        return _SKIPPED
    return {**{key: value for key, value in entry.items() if key != "file"}, text_name: text}


class _TooLargeError(ValueError):
    """The file is larger than `MAX_BYTES`."""


def _text(path: Path) -> str:
    """The content of a file, with its line ends, up to the maximum size."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _TooLargeError
    return content.decode()


_EXCLUSIVE = {
    "inline": "file and inline are mutually exclusive: keep one of them",
    "job": "job and file are mutually exclusive: keep one of them",
}


def _reason(error: Exception, base: Path) -> str:
    """The problem with a file, without its name: a user may have put the content there by mistake."""
    if isinstance(error, OSError):
        return f"{error.strerror} (the path is relative to {short(str(base.absolute()))})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return f"it is larger than {MAX_BYTES} bytes" if isinstance(error, _TooLargeError) else "the file name is not valid"


def _elsewhere(file: str, base: Path) -> str:
    """A hint for a path that is relative to the working directory, as in templates for older releases of omnictl."""
    try:
        path = Path(file)
        if path.is_absolute() or (base / path).exists() or not path.is_file():
            return ""
    except (OSError, ValueError):
        return ""
    right = Path(os.path.relpath(path, base)).as_posix()
    return f". It exists relative to the working directory, which older releases of omnictl used: write {short(right)}"
