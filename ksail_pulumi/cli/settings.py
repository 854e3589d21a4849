"""Which Omni the commands talk to: the environment says it, as for KSail's own `cluster list`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.signature import KEY_VARIABLES, missing_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.omni.client import Client

ENDPOINT = "OMNI_ENDPOINT"
CA_FILE = "OMNI_CA_FILE"


def client_from_environment(
    environ: Mapping[str, str] = os.environ, *, endpoint: str = "", key_variable: str = ""
) -> Client:
    """A client for the Omni that the environment names.

    Args:
        environ: The environment variables.
        endpoint: The endpoint that a file names; it takes precedence.
        key_variable: The only variable that may have the key; `""`: the usual ones.

    Raises:
        SettingsError: The endpoint or the key is not set (says which, or both), or is not one.
    """
    endpoint = endpoint or environ.get(ENDPOINT, "")
    variable, key = key_in(environ, key_variable)
    missing = []
    if not endpoint:
        text, remedy = missing_endpoint()
        missing.append(f"{text} ({remedy})")
    if not key:
        missing.append(missing_key(variable))
    if missing:
        raise SettingsError("\n".join(missing))
    ca_file, source = environ.get(CA_FILE, ""), f"environment variable {variable}"
    return connect(Connection(endpoint, key, ca_file=ca_file, key_source=source))


def key_in(environ: Mapping[str, str], variable: str = "") -> tuple[str, str]:
    """The variable with the key, and the key; the key is `""` if no variable has one.

    Args:
        environ: The environment variables.
        variable: The only variable that may have it; `""`: the usual ones.
    """
    found = variable or next((name for name in KEY_VARIABLES if environ.get(name)), KEY_VARIABLES[-1])
    return found, environ.get(found, "")


def missing_endpoint() -> tuple[str, str]:
    """The text for an endpoint that is not set, and the remedy."""
    return (
        f"omni endpoint is required: environment variable {ENDPOINT} is not set",
        f"export {ENDPOINT}=https://<account>.omni.siderolabs.io:443",
    )
