"""Mistakes that are found while the user's program runs, told by Pulumi as a message."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pulumi import RunError

from ksail_pulumi.errors import ConfigFileError, InputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ProgramInputError(InputError, RunError):
    """An input that cannot be used. Of a `RunError` Pulumi prints the text alone, of any other error a traceback."""


class ProgramFileError(ConfigFileError, RunError):
    """A file that cannot be used, in the same sense."""


class ProgramSettingsError(SettingsError, RunError):
    """A setting that cannot be used, in the same sense."""


@contextmanager
def told(resource_name: str = "") -> Iterator[None]:
    """Let the mistakes found inside reach the user without a traceback; they stay what they are to `except`.

    Args:
        resource_name: The resource that they are about, where a program may have several; files name themselves.
    """
    try:
        yield
    except ConfigFileError as error:
        raise ProgramFileError(error.path, error.line, error.field, error.reason) from error
    except InputError as error:
        of = f"OmniCluster {resource_name!r}: " if resource_name else ""
        raise ProgramInputError("", f"{of}{error}") from error
    except SettingsError as error:
        raise ProgramSettingsError(str(error)) from error
