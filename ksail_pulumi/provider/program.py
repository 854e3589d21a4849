"""Errors in the user's program that Pulumi shows without a traceback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pulumi import RunError

from ksail_pulumi.errors import ConfigFileError, InputError, OmniError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ProgramInputError(InputError, RunError):
    """An input is not valid. Of a `RunError` Pulumi prints only the text, of other errors a traceback."""


class ProgramFileError(ConfigFileError, RunError):
    """A file is not valid, as a `RunError`."""


class ProgramSettingsError(SettingsError, RunError):
    """A setting is not valid, as a `RunError`."""


@contextmanager
def reported(resource_name: str = "", kind: str = "OmniCluster") -> Iterator[None]:
    """Show errors in the block without a traceback; their classes still work with `except`.

    Args:
        resource_name: The resource, for the message; errors about files already name the file.
        kind: The class of the resource.
    """
    try:
        yield
    except ConfigFileError as error:
        raise ProgramFileError(error.path, error.line, error.field, error.reason) from error
    except InputError as error:
        of = f"{kind} {resource_name!r}: " if resource_name else ""
        raise ProgramInputError("", f"{of}{error}") from error
    except SettingsError as error:
        raise ProgramSettingsError(str(error)) from error
    except OmniError as error:
        raise _as_run_error(type(error))(str(error), method=error.method, detail=error.detail) from error


def _as_run_error(error: type[OmniError]) -> type[OmniError]:
    return type(f"Program{error.__name__}", (error, RunError), {})
