"""Forecasts of an `up`. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ForeignClusterError
from ksail_pulumi.lifecycle.account import Reading
from ksail_pulumi.lifecycle.needed import CLUSTERS, Needed
from ksail_pulumi.lifecycle.ownership import refuse_existing, refuse_lost
from ksail_pulumi.lifecycle.patch_checks import PatchChecks
from ksail_pulumi.lifecycle.snapshot import UNCHANGED, has_extensions, take_snapshot, with_extensions
from ksail_pulumi.lifecycle.upstream import fetch
from ksail_pulumi.plan.findings import findings
from ksail_pulumi.plan.machine_class import with_declared
from ksail_pulumi.plan.ownership import Creation
from ksail_pulumi.plan.planning import NO_TEXTS, sources_of
from ksail_pulumi.problems import Problem, field_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ksail_pulumi.addons.groups import Source
    from ksail_pulumi.model.parse import ClusterSpec, Patch
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.plan.machine_class import DeclaredClass
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.plan.reservations import Earlier
    from ksail_pulumi.plan.snapshot import Snapshot
    from ksail_pulumi.problems import FieldPath


AFTER_BACKUP = ", after a backup of etcd"

_FETCH_SECONDS = 5.0
"""How long a preview waits for the manifests of add-ons."""

_UNKNOWN = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n    name: unknown\n"
"""What stands for a manifest that was not fetched."""


@dataclass(frozen=True)
class Replacement:
    """A cluster that a replacement deletes.

    Attributes:
        cluster: Its name.
        certain: Whether a replacement is certain. A forced one looks the same as a lost state.
        first: Whether it is deleted before the new one is created.
        backed_up: Whether its inputs ask for a backup before that.
    """

    cluster: str
    certain: bool = True
    first: bool = True
    backed_up: bool = False


def preview(
    spec: ClusterSpec,
    previous: ClusterSpec | None,
    mark: OwnershipMark,
    client: Client,
    *,
    adopt: bool = False,
    resumable: bool = True,
    create_first: bool = False,
    replaced: Sequence[Replacement] = (),
    earlier: Sequence[Earlier] = (),
    classes: Sequence[DeclaredClass] = (),
    labels: Mapping[str, Mapping[str, str | None]] = UNCHANGED,
    reading: Reading | None = None,
    existing: Collection[str] | None = None,
) -> Findings:
    """What Omni will refuse, what will block, and what will change.

    Args:
        spec: The desired cluster.
        previous: The spec of the last update, None for a new cluster.
        mark: The owner mark of this resource.
        client: The Omni.
        adopt: Whether the existing cluster is taken over.
        resumable: Whether the mark is unique to this resource.
        create_first: Whether a replacement of the resource creates before it deletes.
        replaced: The clusters that a replacement deletes; the machines of those that go first count as free.
        earlier: The clusters that the program declares first: they get their machines first.
        classes: The machine classes that the program declares first.
        labels: The labels of machines that change before the cluster does, by the machine's ID; None removes one.
        reading: A reading of what belongs to no single cluster. Default: a new one.
        existing: The names of all clusters in this Omni, if they are known.

    Raises:
        OmniError: Omni did not answer.
    """
    checks = PatchChecks(client, _patches(spec), _patches(previous) if previous is not None else ())
    reading = reading or Reading()
    needed = Needed.by(spec, earlier, [each.cluster for each in replaced])
    if existing is not None:
        needed = needed.among(existing)

    def judged(needed: Needed) -> Findings:
        snapshot = take_snapshot(
            client,
            spec.name,
            needed,
            extensions_of=spec.talos_version if has_extensions(spec) else None,
            reading=reading,
            labels=labels,
            backups=bool(spec.backup_before),
            members=_may_upgrade(spec, previous, adopt=adopt),
            exists=existing is None or spec.name in existing,
        )
        known_classes, uncertain = with_declared(snapshot.machine_classes or (), classes)
        snapshot = replace(snapshot, machine_classes=known_classes)
        reservations = reading.reserving.reserve(earlier, snapshot)
        lines = [_replaces(each, snapshot, mark, adopt=adopt) for each in replaced]
        if not adopt:
            snapshot = snapshot.without([each.cluster for each in replaced if each.first])
        snapshot = with_extensions(snapshot, spec, client)
        refused = []
        try:
            _refuse(snapshot, mark, previous, adopt=adopt, resumable=resumable, create_first=create_first)
        except ForeignClusterError as error:
            refused.append(Problem(("name",), str(error)))
        if previous is not None and (missing := _missing(snapshot, spec.name, client.endpoint)):
            refused.append(Problem((), missing))
        fetched = fetch(sources_of(spec, snapshot, mark), NO_TEXTS, patience=_FETCH_SECONDS)
        refused += fetched.problems
        texts = {**fetched.texts, **{each.url: _UNKNOWN for each in (*fetched.late, *fetched.failed)}}
        found = findings(
            spec, snapshot, mark=mark, previous=previous, reservations=reservations, adopt=adopt, texts=texts
        )
        found = replace(found, warnings=(*found.warnings, *_uncertain(spec, uncertain), *_unverified(fetched.late)))
        return _refused(replace(found, forecasts=(*lines, *found.forecasts)), refused)

    found = judged(needed)
    if found.too_few:
        found = judged(replace(needed, everything=True))
    return _refused(found, list(checks.problems()))


def _refused(found: Findings, problems: Sequence[Problem]) -> Findings:
    """The findings with more failures; nothing is forecast if there are some."""
    if not problems:
        return found
    return replace(found, failures=(*found.failures, *problems), forecasts=(), outlook=None)


def _unverified(sources: Sequence[Source]) -> Iterator[str]:
    for path in dict.fromkeys(source.path for source in sources):
        yield (
            f"{field_path(path)}: its manifest was not fetched within {_FETCH_SECONDS:g} s, so it is not verified that "
            "it can be; `pulumi up` waits longer"
        )


def _uncertain(spec: ClusterSpec, classes: set[str]) -> Iterator[str]:
    """A warning for each machine class of the program that the cluster uses and does not depend on."""
    used = {each.machine_class.name for each in spec.machine_sets if each.machine_class is not None}
    for name in sorted(used & classes):
        yield (
            f"machine class {name} does not exist yet, and the cluster does not wait for it: pass the output `name` of "
            "the MachineClass instead of a text"
        )


def _may_upgrade(spec: ClusterSpec, previous: ClusterSpec | None, *, adopt: bool) -> bool:
    """Whether the inputs may change a version of the cluster; only Omni has the versions of one to take over."""
    wanted = (spec.talos_version, spec.kubernetes_version)
    if previous is None:
        return adopt and wanted != (None, None)
    return wanted != (previous.talos_version, previous.kubernetes_version)


def _missing(snapshot: Snapshot, name: str, endpoint: str) -> str:
    """What `update` will report if the cluster is gone; `""` if it exists."""
    if snapshot.cluster is None:
        return (
            f"cluster {name!r} does not exist in Omni at {endpoint}. If it was deleted, run `pulumi refresh`; the next "
            "`pulumi up` creates it again. If it is in another Omni, set `omni:endpoint` or OMNI_ENDPOINT"
        )
    if snapshot.cluster.tearing_down:
        return f"cluster {name!r} is being deleted. Run `pulumi refresh` to update the state"
    return ""


def _refuse(
    snapshot: Snapshot,
    mark: OwnershipMark,
    previous: ClusterSpec | None,
    *,
    adopt: bool,
    resumable: bool,
    create_first: bool,
) -> None:
    """Refuse what `create` or `update` will refuse.

    Raises:
        ForeignClusterError: The cluster of this name is not ours.
    """
    cluster = snapshot.cluster
    if cluster is None or cluster.tearing_down:
        return
    if previous is not None:
        refuse_lost(cluster, mark, "change")
    elif not adopt:
        refuse_existing(cluster, mark, resumable=resumable, create_first=create_first)


def _replaces(replaced: Replacement, snapshot: Snapshot, mark: OwnershipMark, *, adopt: bool) -> str:
    """The effect of a replacement on a cluster, in one line."""
    machines = snapshot.machines_of(replaced.cluster)
    wiped = f"its machines are wiped: {snapshot.machine_names(machines)}" if machines else "it has no machines"
    when = "first" if replaced.first else "after the new one is created"
    deleted = f"is deleted {when}{AFTER_BACKUP if replaced.backed_up else ''}, and {wiped}"
    if replaced.certain:
        return f"cluster {replaced.cluster} {deleted}"
    otherwise = (
        "the cluster is taken over as it is"
        if adopt
        else "the state was lost and `pulumi up` will fail: import the cluster with "
        f"opts=pulumi.ResourceOptions(import_={replaced.cluster!r})"
    )
    return (
        f"cluster {replaced.cluster} exists, and this resource ({mark.owner}) has created it. If this is shown as a "
        f"replacement, the cluster {deleted}. If it is not shown as a replacement, {otherwise}"
    )


def all_clusters(client: Client, reading: Reading) -> Sequence[Resource]:
    """All clusters of an Omni.

    Raises:
        OmniError: Omni did not answer.
    """
    reading.send(client, [CLUSTERS])
    return reading.result(client, CLUSTERS)


def own_clusters(mark: OwnershipMark, clusters: Sequence[Resource]) -> list[Resource]:
    """The clusters that this resource has created, by name, without unfinished creations and deletions."""
    return sorted(
        (
            cluster
            for cluster in clusters
            if mark.owner_of(cluster) == mark.owner and not cluster.tearing_down and Creation.of(cluster) is None
        ),
        key=lambda cluster: cluster.id,
    )


def _patches(spec: ClusterSpec) -> Iterator[tuple[FieldPath, Patch]]:
    """All patches of a spec, each with its path in wire names."""
    for path, scope in spec.scopes():
        for index, patch in enumerate(scope.patches or ()):
            yield (*path, "patches", index), patch
