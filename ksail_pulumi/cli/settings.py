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


def client_from_environment(environ: Mapping[str, str] = os.environ) -> Client:
    """A client for the Omni that the environment names.

    Raises:
        SettingsError: The endpoint or the key is not set (says which, or both), or is not one.
    """
    variable = next((name for name in KEY_VARIABLES if environ.get(name)), KEY_VARIABLES[-1])
    key = environ.get(variable)
    missing = []
    if not environ.get(ENDPOINT):
        missing.append(
            f"omni endpoint is required: environment variable {ENDPOINT} is not set "
            f"(export {ENDPOINT}=https://<account>.omni.siderolabs.io:443)"
        )
    if not key:
        missing.append(missing_key(variable))
    if missing or not key:
        raise SettingsError("\n".join(missing))
    ca_file, source = environ.get(CA_FILE, ""), f"environment variable {variable}"
    return connect(Connection(environ[ENDPOINT], key, ca_file=ca_file, key_source=source))
