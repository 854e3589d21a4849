"""The text of a cluster template, from a file or from the program."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksail_pulumi.errors import InputError
from ksail_pulumi.goyaml.read import read_text

IN_PROGRAM = "template"
"""The name in errors of a template without a file."""


@dataclass(frozen=True)
class TemplateSource:
    """A template that is not parsed yet.

    Attributes:
        name: The file, as the user named it.
        text: Its content.
        folder: What the paths in it are relative to.
    """

    name: str
    text: str = field(repr=False)
    folder: Path

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> TemplateSource:
        """The template in a file.

        Raises:
            ConfigFileError: It cannot be read.
        """
        name = os.fspath(path)
        return cls(name, read_text(Path(path), name), Path(path).parent)

    @classmethod
    def of_program(cls, path: Any, text: Any, folder: Any) -> TemplateSource:
        """The template that a program gives by a path or as a text.

        Raises:
            InputError: Neither or both are given, or one of them is of another type.
            ConfigFileError: The file cannot be read.
        """
        for name, value, types in (("path", path, _PATH), ("text", text, str), ("folder", folder, _PATH)):
            if value is not None and not isinstance(value, types):
                raise InputError(name, f"should be a string, not a value of type {type(value).__name__}")
        if (path is None) == (text is None):
            raise InputError("", "a template is given either by its path or as `text`")
        if path is None:
            return cls(IN_PROGRAM, text, Path(folder or "."))
        if folder is not None:
            raise InputError("folder", "is for `text` only: the paths in a file are relative to it")
        return cls.of_file(path)


_PATH = (str, os.PathLike)
