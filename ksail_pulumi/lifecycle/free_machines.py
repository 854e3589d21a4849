"""Finds free machines by their labels, and reads only those that can be chosen: an account may have thousands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.needed import FREE_MACHINES, STATUSES
from ksail_pulumi.plan.condensed import Kinds
from ksail_pulumi.plan.snapshot import relabelled
from ksail_pulumi.plan.versions import possible_talos

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ksail_pulumi.lifecycle.account import Reading
    from ksail_pulumi.lifecycle.needed import Needed
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.snapshot import Snapshot

_FEWEST = 32


def with_free_machines(
    snapshot: Snapshot,
    labelled: Sequence[Resource],
    needed: Needed,
    client: Client,
    reading: Reading,
    *,
    labels: Mapping[str, Mapping[str, str | None]],
) -> Snapshot:
    """The snapshot with the free machines that can be chosen.

    Args:
        snapshot: What was read besides.
        labelled: The free machines, of which only the labels are known.
        needed: How many machines are chosen, and how.
        client: The Omni.
        reading: The reading that checks share.
        labels: The labels of machines that change before the cluster does, by the machine's ID; None removes one.

    Raises:
        OmniError: A call failed.
    """
    if not labelled or needed.satisfied(snapshot.nodes):
        return snapshot
    # Rounded up, for the next cluster of the program to find its machines in the same reading.
    kinds = Kinds(max(_FEWEST, 1 << needed.free.bit_length()), needed.selectors)
    talos = possible_talos(needed.talos, snapshot.clusters, snapshot.talos_versions)
    candidates = kinds.candidates(relabelled(labelled, labels), talos)
    found = _statuses(sorted(each.id for each in candidates), client, reading)
    if not kinds.confirmed(candidates, relabelled(found, labels)):
        found = reading.ask(client, FREE_MACHINES)
    known = {each.id for each in snapshot.statuses}
    return replace(snapshot, statuses=[*snapshot.statuses, *(each for each in found if each.id not in known)])


def _statuses(machines: Sequence[str], client: Client, reading: Reading) -> Sequence[Resource]:
    size = STATUSES.type.together
    groups = [frozenset(machines[at : at + size]) for at in range(0, len(machines), size)]
    questions = [replace(STATUSES, ids=each) for each in groups]
    reading.send(client, questions)
    return [status for each in questions for status in reading.result(client, each)]
