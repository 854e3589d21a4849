"""An account where few machines are free, and the ways in which a cluster of three finds its machines there."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.lab import MARK, Omni, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import LABEL_AVAILABLE, MACHINE_CLASS, MACHINE_STATUS, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ksail_pulumi.omni.client import Client

FREE = 100
"""The other machines of an account are in one cluster."""
MACHINES = 3
_CLASS = "without-machines"


@contextmanager
def account(machines: int, round_trip: float = 0.0) -> Iterator[Omni]:
    """An Omni where few machines are free, and a class that none of them matches."""
    with omni(machines=machines, round_trip=round_trip, speed="real") as server:
        client = server.connect()
        rest = machines - FREE - 1
        create(parse_cluster({"name": "rest", "workers": rest, "waitFor": "none"}), MARK, session(client))
        client.state.create(Resource(MACHINE_CLASS, _CLASS, specs_pb2.MachineClassSpec(match_labels=["rack = 7"])))
        until = time.monotonic() + 120
        while len(_free(client)) > FREE:
            if time.monotonic() > until:
                raise RuntimeError(f"{len(_free(client))} machines are free")
            time.sleep(0.5)
        yield server


def _free(client: Client) -> list[str]:
    return sorted(each.id for each in client.state.list(MACHINE_STATUS, {LABEL_AVAILABLE: None}))


def _of_class(_: Client) -> dict[str, Any]:
    sets = {"machineClass": {"name": _CLASS, "size": 1}}
    return {"controlPlane": sets, "workers": [{"name": "workers", **sets}]}


def _named(client: Client) -> dict[str, Any]:
    first, *others = _free(client)[:MACHINES]
    return {"controlPlane": {"machines": [first]}, "workers": [{"name": "workers", "machines": others}]}


def counted(_: Client) -> dict[str, Any]:
    return {"controlPlane": {"count": 1}, "workers": MACHINES - 1}


WAYS: dict[str, Callable[[Client], dict[str, Any]]] = {
    "of a class": _of_class,
    "named": _named,
    "few free": counted,
}
