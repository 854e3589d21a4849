"""Removes machines from Omni that it cannot reach: it cannot wipe them, and so they never leave their cluster.

They are removed by their Link, as `omnictl cluster template delete --destroy-disconnected-machines` does.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi import listing
from ksail_pulumi.errors import NotFoundError
from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.lifecycle.waiting.watch import Condition, follow, queries
from ksail_pulumi.omni.resources import (
    LABEL_CONNECTED,
    LABEL_MACHINE_SET,
    LINK,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    machine_name,
)

_CHOSEN = (MACHINE_SET_NODE, MACHINE_STATUS)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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


def remove_chosen(machines: Collection[str], sizes: Mapping[str, int], session: Session, cluster: str) -> set[str]:
    """Remove those of the machines that Omni chooses from sets of a class that become smaller; returns their IDs.

    Newer Omnis take out one machine after the other, and wait until it is wiped before they choose the next one.

    Args:
        machines: The machines that are not connected.
        sizes: The new sizes of the sets, by ID.
        session: The Omni and the deadline.
        cluster: The cluster's name.

    Raises:
        WaitTimeoutError: The session's deadline passed.
        CancelledError: The session was cancelled.
        OmniError: Omni refused, or did not answer.
    """
    left, removed = set(machines), set[str]()
    while left:
        _wait_until_chosen(left, sizes, session, cluster)
        if not (gone := remove_cut_off(left, session, cluster)):
            break  # they are connected again, or Omni has chosen others
        removed |= gone
        left -= gone
    return removed


def _wait_until_chosen(machines: Collection[str], sizes: Mapping[str, int], session: Session, cluster: str) -> None:
    view = ClusterView(cluster)
    follow(
        session,
        view,
        _Chosen(view, machines, sizes),
        queries(cluster, _CHOSEN),
        describe=lambda: "waiting for Omni to choose the machines that leave",
        awaited=lambda: Awaited(leaving=set(machines)),
        waiting_for="still has machines that are being removed",
    )


class _Chosen(Condition):
    """Reached once one of the machines leaves the cluster, or all are connected, or the sets have their sizes."""

    def __init__(self, view: ClusterView, machines: Collection[str], sizes: Mapping[str, int]) -> None:
        self._view = view
        self._machines = machines
        self._sizes = sizes
        self._since: float | None = None

    def observe(self, now: float) -> None:
        if self._since is None and self._view.synced(_CHOSEN) and self._reached():
            self._since = now

    def _reached(self) -> bool:
        nodes = [node for node in self._view.all(MACHINE_SET_NODE) if not node.tearing_down]
        staying = {node.id for node in nodes}
        sets = Counter(node.labels.get(LABEL_MACHINE_SET, "") for node in nodes)
        return (
            not staying.issuperset(self._machines)
            or all(map(self._connected, self._machines))
            or all(sets[each] <= size for each, size in self._sizes.items())
        )

    def _connected(self, machine: str) -> bool:
        status = self._view.get(MACHINE_STATUS, machine)
        return status is None or connected(status)

    def done_at(self) -> float | None:
        return self._since


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
    return leaves and not connected(status) and status.cluster == cluster


def connected(machine: Resource) -> bool:
    """Whether Omni is connected to a machine, given its MachineStatus."""
    return LABEL_CONNECTED in machine.labels
