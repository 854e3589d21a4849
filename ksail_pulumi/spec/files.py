"""What stands in files (patches, manifests, jobs): read once, where the program runs, and text from then on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ksail_pulumi.spec.problems import InvalidCluster, Problem

MAX_BYTES = 4 * 1024 * 1024
"""How large a file that people write may be."""


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
    read = _scope(data, "", base or Path(), problems)
    read = _listed(read, ("manifests", "inline"), "", base or Path(), problems)
    read = _listed(read, ("healthChecks", "job"), "", base or Path(), problems)
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
    return _listed(data, ("patches", "inline"), prefix, base, problems)


def _listed(
    data: Mapping[str, Any], names: tuple[str, str], prefix: str, base: Path, problems: list[Problem]
) -> dict[str, Any]:
    """Read the files of the entries of one list; `names` are the list's and that of the text in an entry."""
    list_name, text_name = names
    entries = data.get(list_name)
    if not isinstance(entries, list | tuple):
        return dict(data)
    read = []
    for index, entry in enumerate(entries):
        field = f"{prefix}{list_name}[{index}]"
        if not isinstance(entry, Mapping) or not isinstance(file := entry.get("file"), str):
            read.append(entry)
        elif entry.get(text_name) is not None:
            problems.append(Problem(field, _exclusive(entry, text_name)))
        else:
            try:
                text = _text(base / Path(file).expanduser())
            except (OSError, ValueError, RuntimeError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                problems.append(Problem(f"{field}.file", f'failed to access "{file}": {reason}'))
                continue
            rest = {key: value for key, value in entry.items() if key != "file"}
            name = {"name": file} if text_name == "inline" else {}
            read.append({**name, **rest, text_name: text})
    return {**data, list_name: read}


def _text(path: Path) -> str:
    """A file as it is, its line ends too; no more of it than is taken anywhere else."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES} bytes")
    return content.decode()


def _exclusive(entry: Mapping[str, Any], text_name: str) -> str:
    if text_name == "inline":
        return "path and inline are mutually exclusive: keep one of file and inline"
    return f'healthcheck "{entry.get("idOverride") or entry.get("name") or ""}": job and file are mutually exclusive'
