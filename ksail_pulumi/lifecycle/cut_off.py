"""Removes machines from Omni that it cannot reach: it cannot wipe them, and so they never leave their cluster.

They are removed by their Link, as `omnictl cluster template delete --destroy-disconnected-machines` does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import NotFoundError
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import follow, queries
from ksail_pulumi.omni.resources import LABEL_CONNECTED, LINK, MACHINE_SET_NODE, MACHINE_STATUS, machine_name

_CHOSEN = (MACHINE_SET_NODE, MACHINE_STATUS)

if TYPE_CHECKING:
    from collections.abc import Collection

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.omni.state import State


def remove_cut_off(machines: Collection[str], session: Session, cluster: str) -> set[str]:
    """Remove those of the machines that are not connected and on their way out of the cluster; returns their IDs.

    Raises:
        OmniError: Omni refused, or did not answer.
    """
    state = session.client.state
    statuses = [state.start_find(MACHINE_STATUS, each) for each in machines]
    nodes = [state.start_find(MACHINE_SET_NODE, each) for each in machines]
    pairs = ((status.result(), node.result()) for status, node in zip(statuses, nodes, strict=True))
    found = [status for status, node in pairs if status is not None and _goes(status, node, cluster)]
    for machine in found:
        remove_machine(machine.id, state)
    if found:
        named = listing.names(sorted(map(machine_name, found)))
        session.warn(f"machines were not connected and are removed from Omni without a wipe: {named}")
    return {machine.id for machine in found}


def wait_until_chosen(machines: Collection[str], session: Session, cluster: str) -> None:
    """Wait until Omni takes these machines of classes out of the cluster, or they are connected again.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: The watch failed.
    """
    if not machines:
        return
    view = ClusterView(cluster)
    follow(
        session,
        view,
        _Chosen(view, machines),
        queries(cluster, _CHOSEN),
        describe=lambda: "waiting for Omni to choose the machines that leave",
        awaited=lambda: Awaited(leaving=set(machines)),
        waiting_for="still has machines that are being removed",
    )


class _Chosen:
    """Reached once each of the machines leaves the cluster, or is connected."""

    def __init__(self, view: ClusterView, machines: Collection[str]) -> None:
        self._view = view
        self._machines = machines
        self._since: float | None = None

    def observe(self, now: float) -> None:
        if self._since is None and self._view.synced(_CHOSEN) and not any(map(self._stays, self._machines)):
            self._since = now

    def _stays(self, machine: str) -> bool:
        node, status = self._view.get(MACHINE_SET_NODE, machine), self._view.get(MACHINE_STATUS, machine)
        return node is not None and not node.tearing_down and status is not None and not _connected(status)

    def done_at(self) -> float | None:
        return self._since

    def failed_at(self) -> float | None:
        return None

    def final_failures(self, now: float) -> list[str]:  # noqa: ARG002 - the protocol passes the time
        return []


def remove_machine(machine: str, state: State) -> None:
    """Remove a machine from Omni, if it has it.

    Raises:
        OmniError: Omni refused, or did not answer.
    """
    with suppress(NotFoundError):
        state.teardown(LINK, machine)


def _goes(status: Resource, node: Resource | None, cluster: str) -> bool:
    """Whether Omni says now that a machine is not connected and still in the cluster, which it is leaving."""
    leaves = node is None or (node.cluster == cluster and node.tearing_down)
    return leaves and not _connected(status) and status.cluster == cluster


def _connected(machine: Resource) -> bool:
    return LABEL_CONNECTED in machine.labels
