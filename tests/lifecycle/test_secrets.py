"""Nothing that a client or a verb leaves behind shows a secret: no repr, no error, no log."""

from __future__ import annotations

import base64
import gc
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.errors import KsailPulumiError, SettingsError
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.identity import Identity
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.lifecycle.update import update
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client

MARK = OwnershipMark("organization/test/dev/secrets")


def parts(key: str) -> list[str]:
    """A service account key, and the lines of the private key in it that are not the same for all keys."""
    armoured = json.loads(base64.b64decode(key))["pgp_key"]
    return [key, *(line for line in armoured.splitlines() if len(line) > 20 and "PGP" not in line and ":" not in line)]


def ours_within(*roots: Any) -> Iterator[Any]:
    """All objects of our own classes that can be reached from these."""
    seen: set[int] = set()
    left = list(roots)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        module = type(thing).__module__
        if module.startswith("ksail_pulumi.") and ".api." not in module:
            yield thing
        elif not isinstance(thing, dict | list | tuple | set | frozenset):
            continue
        left += gc.get_referents(thing)


def test_no_secret_shows(
    omni: Client,
    cluster_name: str,
    free_machines: list[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    connection: Connection = omni._connection
    session = Session(omni, Deadline.after(3600))
    inputs: dict[str, Any] = {"name": cluster_name, "talosconfig": True}
    with caplog.at_level(logging.DEBUG):
        outputs = create(parse_cluster(inputs), MARK, session)
        identity = Identity(cluster_name, MARK, uuid=outputs.cluster_uuid)
        with pytest.raises(KsailPulumiError) as refused:
            update(parse_cluster(inputs | {"workers": 10_000}), identity, session, old=outputs.to_wire())
    with pytest.raises(SettingsError) as invalid:
        connect(Connection(connection.endpoint, connection.service_account_key[1:]))
    settings = Settings(service_account_key=connection.service_account_key)

    secrets = parts(connection.service_account_key)
    found = list(ours_within(omni, session, outputs, settings, refused.value, invalid.value))
    assert {"Client", "Channel", "ServiceAccountKey", "ClusterOutputs", "Settings"} <= {type(x).__name__ for x in found}
    shown = [*map(repr, found), *map(str, found), caplog.text, *capfd.readouterr()]
    shown += ["".join(traceback.format_exception(error.value)) for error in (refused, invalid)]
    text = "\n".join(shown)
    assert cluster_name in text
    assert [secret for secret in secrets if secret in text] == []
