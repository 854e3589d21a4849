"""How many bytes Omni sends, beside what it would send with all that there is of each machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figure import Figure
from benchmarks.lab import MARK, Omni, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.delete import delete
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import MACHINE_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MACHINES = 5000
PREVIEW = 1 / 3
DELETED = 1000
DELETION = 7.4 / 4
"""A quarter of what it was at commit d36ab4c, where it read and watched all of each status."""
LINK = 0.001


def _received(server: Omni, work: Callable[[], object]) -> int:
    before = server.received()
    work()
    return server.received() - before


def measure() -> Iterator[Figure]:
    # In real time: no machine changes meanwhile.
    with omni(machines=MACHINES, round_trip=LINK, speed="real") as server:
        client = server.connect()
        spec = parse_cluster({"name": "bench", "controlPlane": {"count": 1}, "workers": 2})
        ours = _received(server, lambda: preview(spec, None, MARK, client))
        all_of_it = _received(server, lambda: client.state.list(MACHINE_STATUS))
    yield Figure(
        f"bytes of a preview of 3 machines where {MACHINES} are free",
        ours / all_of_it,
        PREVIEW,
        "",
        f"{ours / 1e6:.2f} MB beside the {all_of_it / 1e6:.2f} MB of all MachineStatuses, which it read before",
    )
    with omni(machines=DELETED, round_trip=LINK) as server:
        client = server.connect()
        inputs = {"name": "bench", "controlPlane": {"count": 1}, "workers": DELETED - 1, "waitFor": "running"}
        create(parse_cluster(inputs), MARK, session(client))
        all_of_it = _received(server, lambda: client.state.list(MACHINE_STATUS))
        ours = _received(server, lambda: delete("bench", session(client)))
    yield Figure(
        f"bytes of the deletion of {DELETED} machines",
        ours / all_of_it,
        DELETION,
        "",
        f"{ours / 1e6:.2f} MB beside the {all_of_it / 1e6:.2f} MB of all MachineStatuses, read once",
    )
