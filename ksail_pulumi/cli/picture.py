"""What the commands that draw have in common: the library for SVG, and where a picture goes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_file(command: argparse.ArgumentParser) -> None:
    """Add the options for the file of a picture."""
    command.add_argument("--file", default="", metavar="FILE", help="the file to write (default: print to stdout)")
    command.add_argument("--force", action="store_true", help="overwrite an existing file")


def svg_of(module: str, function: str) -> Callable[[Any], str]:
    """A function that draws SVG.

    Raises:
        SettingsError: The libraries for it are not installed.
    """
    try:
        draw: Callable[[Any], str] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"SVG needs the Python package {error.name}, which is not installed: pip install 'ksail-pulumi[graph]'"
        ) from None
    return draw


def write_picture(text: str, options: argparse.Namespace) -> None:
    """Write a picture to the file that was asked for, or print it."""
    if options.file:
        from ksail_pulumi.cli.export import write_new  # slow to import

        path = Path(options.file)
        write_new({path.name: text}, path.parent, force=options.force)
    else:
        print(text, end="" if text.endswith("\n") else "\n")
