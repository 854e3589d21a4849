"""Reads the files of patches, manifests and jobs, once, in the program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi.goyaml.read import MAX_BYTES
from ksail_pulumi.problems import InvalidCluster, Problem
from ksail_pulumi.redaction import short

if TYPE_CHECKING:
    from ksail_pulumi.problems import FieldPath


def with_files(data: Mapping[str, Any], base: Path | None = None) -> dict[str, Any]:
    """Replace every `file` in the inputs by its text (`inline`, or `job` of a health check) and a `name`.

    As in omnictl, the default name of such a patch or manifest is the path as written. Values that are not plain data
    (outputs that are not known yet) are not changed.

    Args:
        data: The inputs, in wire names.
        base: The folder of relative paths; default: the working directory.

    Raises:
        InvalidCluster: A file cannot be read.
    """
    read, problems = read_files(data, base)
    if problems:
        raise InvalidCluster(problems)
    return read


def read_files(data: Mapping[str, Any], base: Path | None = None) -> tuple[dict[str, Any], list[Problem]]:
    """Like `with_files`, but returns the problems and skips the entries that have one."""
    problems: list[Problem] = []
    read = _scope(data, (), base or Path(), problems)
    read = _listed(read, ("manifests", "inline"), (), base or Path(), problems)
    read = _listed(read, ("healthChecks", "job"), (), base or Path(), problems)
    if isinstance(control_plane := read.get("controlPlane"), Mapping):
        read["controlPlane"] = _scope(control_plane, ("controlPlane",), base or Path(), problems)
    if isinstance(workers := read.get("workers"), list | tuple):
        read["workers"] = [
            _scope(each, ("workers", index), base or Path(), problems) if isinstance(each, Mapping) else each
            for index, each in enumerate(workers)
        ]
    if isinstance(machines := read.get("machines"), Mapping):
        read["machines"] = {
            key: _scope(each, ("machines", key), base or Path(), problems) if isinstance(each, Mapping) else each
            for key, each in machines.items()
        }
    return read, problems


def _scope(data: Mapping[str, Any], at: FieldPath, base: Path, found: list[Problem]) -> dict[str, Any]:
    """Read the files of the patches in `data`."""
    return _listed(data, ("patches", "inline"), at, base, found)


def _listed(
    data: Mapping[str, Any], names: tuple[str, str], at: FieldPath, base: Path, found: list[Problem]
) -> dict[str, Any]:
    """Read the files of the entries of a list; `names` are the name of the list and of the text field."""
    list_name, text_name = names
    entries = data.get(list_name)
    if not isinstance(entries, list | tuple):
        return dict(data)
    read = []
    for index, entry in enumerate(entries):
        field = (*at, list_name, index)
        if not isinstance(entry, Mapping) or not isinstance(file := entry.get("file"), str):
            read.append(entry)
        elif entry.get(text_name) is not None:
            found.append(Problem(field, _EXCLUSIVE[text_name]))
        else:
            try:
                text = _text(base / Path(file).expanduser())
            except (OSError, ValueError, RuntimeError) as error:
                found.append(Problem((*field, "file"), f"failed to access the file: {_reason(error, base)}"))
                continue
            rest = {key: value for key, value in entry.items() if key != "file"}
            name = {"name": file} if text_name == "inline" else {}
            read.append({**name, **rest, text_name: text})
    return {**data, list_name: read}


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
