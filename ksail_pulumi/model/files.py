"""What stands in files (patches, manifests, jobs): read once, where the program runs, and text from then on."""

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
    """The same inputs, with text (`inline`, of a health check `job`) and a `name` in place of every `file`.

    As in omnictl, the name of such a patch or manifest is the path as it was written unless it has one of its own. What
    is not plain data (an output that is not known yet) is left alone.

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
    """Like `with_files`, but the problems are returned, and what has one is left out."""
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
    """Read the files of the patches that stand directly in `data`."""
    return _listed(data, ("patches", "inline"), at, base, found)


def _listed(
    data: Mapping[str, Any], names: tuple[str, str], at: FieldPath, base: Path, found: list[Problem]
) -> dict[str, Any]:
    """Read the files of the entries of one list; `names` are the list's and that of the text in an entry."""
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
    """A file as it is, its line ends too; no more of it than is taken anywhere else."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _TooLargeError
    return content.decode()


_EXCLUSIVE = {
    "inline": "path and inline are mutually exclusive: keep one of file and inline",
    "job": "job and file are mutually exclusive: keep one of them",
}


def _reason(error: Exception, base: Path) -> str:
    """What is wrong with a file, without its name: what stands there by mistake may be what the file should hold."""
    if isinstance(error, OSError):
        return f"{error.strerror} (the path is relative to {short(str(base.absolute()))})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return f"it is larger than {MAX_BYTES} bytes" if isinstance(error, _TooLargeError) else "the file name is not valid"
