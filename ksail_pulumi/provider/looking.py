"""The part of `check` with calls to Omni: what it would refuse, and which cluster a replacement deletes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.account import shared_reading
from ksail_pulumi.lifecycle.needed import COMMON
from ksail_pulumi.lifecycle.outputs import inputs_in
from ksail_pulumi.lifecycle.preview import AFTER_BACKUP, Replacement, all_clusters, own_clusters, preview
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.endpoint import another_omni
from ksail_pulumi.omni.resources import CLUSTER, LABEL_CLUSTER, MACHINE_SET_NODE
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.versions import versions_of
from ksail_pulumi.problems import Problem
from ksail_pulumi.provider.earlier import classes_of_program, earlier_clusters
from ksail_pulumi.provider.identity import adopts, in_another_omni
from ksail_pulumi.provider.paths import replaced_by
from ksail_pulumi.provider.properties import BACKED_UP, CHOSEN, CONFIGS, CREATE_FIRST, OWNER, REPLACED_ON, VERSIONS
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.sessions import ask, left_omni

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ksail_pulumi.lifecycle.account import Reading
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.provider.settings import Settings


@dataclass(frozen=True)
class Look:
    """The result of the check in Omni.

    Attributes:
        findings: What Omni would refuse, and what will change.
        inputs: The inputs, with the name and the versions that a replacement keeps.
        deleted: The cluster that a replacement deletes before it creates; `""` if there is none.
    """

    findings: Findings
    inputs: dict[str, Any] = field(repr=False)
    deleted: str = ""


def look(
    urn: str,
    settings: Settings,
    inputs: dict[str, Any],
    *,
    spec: ClusterSpec,
    olds: Mapping[str, Any],
    name_left_out: bool,
) -> Look:
    """Check inputs in Omni.

    Args:
        urn: The URN of the resource; `""` if unknown.
        settings: The settings of the provider.
        inputs: The inputs in their stored form.
        spec: The same, parsed.
        olds: The former inputs; none for a new resource and for a forced replacement.
        name_left_out: Whether the program omits the name.

    Raises:
        SettingsError: The endpoint, the key or the CA file is not set or not usable.
        UnreachableError: Omni is silent; see `sessions.ask`.
        OmniError: Omni answers with an error.
    """
    client = connect(settings.connection(inputs))

    def question() -> Look:
        asking = _Asking(urn, inputs, spec, olds, client, settings, shared_reading(client, COMMON))
        return asking.about_a_change() if olds else asking.about_a_new_one(name_left_out=name_left_out)

    return ask(client, question)


@dataclass(frozen=True)
class _Asking:
    urn: str
    inputs: dict[str, Any] = field(repr=False)
    spec: ClusterSpec
    olds: Mapping[str, Any] = field(repr=False)
    client: Client
    settings: Settings
    reading: Reading = field(repr=False)

    def about_a_change(self) -> Look:
        before = parse_cluster(inputs_in(self.olds))
        if self._leaves_omni(before.name):
            if "endpoint" not in self.inputs:
                reason = in_another_omni(before.name, self._former, self.client.endpoint)
                return Look(Findings(failures=(Problem(("endpoint",), reason),)), self.inputs)
            found = self._preview(self.spec, None)
            return Look(replace(found, forecasts=(self._left_behind(before.name), *found.forecasts)), self.inputs)
        if before.name == self.spec.name and not self._replaced_by_option:
            found = self._preview(self.spec, before)
            return Look(replace(found, forecasts=(*self._renamed(), *found.forecasts)), self.inputs)
        this_run.replaces(self.urn, before.name)
        return Look(self._preview(self.spec, None, [self._replacement(before.name, certain=True)]), self.inputs)

    def _replacement(self, cluster: str, *, certain: bool) -> Replacement:
        return Replacement(cluster, certain=certain, first=not self._create_first, backed_up=self._backed_up)

    @property
    def _backed_up(self) -> bool:
        """Whether a backup precedes the deletion; of a tainted resource, the engine does not pass the inputs before."""
        return bool(this_run.remembered(self.urn).get(BACKED_UP, "delete" in self.spec.backup_before))

    @property
    def _replaced_by_option(self) -> bool:
        paths = this_run.remembered(self.urn).get(REPLACED_ON, ())
        return replaced_by(paths, inputs_in(self.olds), inputs_in(self.inputs))

    def _renamed(self) -> list[str]:
        former, now = self.olds.get(OWNER), self.inputs.get(OWNER)
        return [f"the owner in Omni changes from {former} to {now}"] if former and former != now else []

    def _leaves_omni(self, name: str) -> bool:
        """Whether the endpoint is that of another Omni than before, which does not have the cluster."""
        if not another_omni(self._former, self.client.endpoint):
            return False
        here = self.client.state.find(CLUSTER, name)
        # The same Omni may have another URL; `diff` decides by the UUID.
        return here is None or not self._mark.names(self._mark.owner_of(here))

    @property
    def _former(self) -> str:
        return self.settings.endpoint_for(self.olds)

    def _left_behind(self, name: str) -> str:
        """What happens to the cluster in the former Omni."""
        state = left_omni(self.settings.connection(inputs_in(self.olds))).state
        nodes = state.list(MACHINE_SET_NODE, {LABEL_CLUSTER: name})
        when = "after the new one is created" if self._create_first else "first"
        machines = ", ".join(sorted(node.id for node in nodes))
        wiped = f"its machines are wiped: {machines}" if machines else "it has no machines"
        backup = AFTER_BACKUP if self._backed_up else ""
        return f"cluster {name} in Omni at {self._former} is deleted {when}{backup}, and {wiped}"

    def about_a_new_one(self, *, name_left_out: bool) -> Look:
        clusters = all_clusters(self.client, self.reading)
        replaced = None if this_run.is_leaving(self.urn) else self._replaced(clusters)
        had = this_run.kept(self.urn) or (_kept(replaced) if replaced is not None else {})
        inputs = dict(self.inputs)
        if name_left_out and had:
            inputs["name"] = had["name"]
        chosen = {version: had[version] for version in VERSIONS if version in had and version not in inputs}
        spec = parse_cluster({**inputs_in(inputs), **chosen})
        this_run.remember(self.urn, {CHOSEN: chosen})
        replacements = []
        if replaced is not None:
            replacements = [self._replacement(replaced.id, certain=this_run.replaced(self.urn) == replaced.id)]
        deleted = "" if self._create_first else "".join(each.cluster for each in replacements)
        found = self._preview(spec, None, replacements, existing={each.id for each in clusters})
        return Look(found, inputs, deleted)

    def _replaced(self, clusters: Sequence[Resource]) -> Resource | None:
        """The cluster of this resource, if this is a forced replacement, which the engine does not report."""
        own = {cluster.id: cluster for cluster in own_clusters(self._mark, clusters)}
        if self._adopts:
            return own.get(self.spec.name)
        # Of several clusters that carry this mark, only the state knows which is ours.
        only = next(iter(own)) if len(own) == 1 else ""
        likely = (this_run.replaced(self.urn), self.spec.name, only)
        return next((own[name] for name in likely if name in own), None)

    def _preview(
        self,
        spec: ClusterSpec,
        before: ClusterSpec | None,
        replaced: list[Replacement] | None = None,
        *,
        existing: Collection[str] | None = None,
    ) -> Findings:
        if replaced and replaced[0].first:
            this_run.frees(self.urn, replaced[0].cluster)
        return preview(
            spec,
            before,
            self._mark,
            self.client,
            adopt=self._adopts,
            resumable=bool(self.urn),
            create_first=self._create_first,
            replaced=replaced or (),
            earlier=earlier_clusters(self.urn, self.settings, self.inputs),
            classes=classes_of_program(self.urn, self.settings, self.inputs),
            labels=this_run.relabelled(
                this_run.remembered(self.urn).get(CONFIGS, ()), self.settings.endpoint_for(self.inputs)
            ),
            reading=self.reading,
            existing=existing,
        )

    @property
    def _adopts(self) -> bool:
        return adopts(self.urn, self.client.endpoint, self.spec.name)

    @property
    def _create_first(self) -> bool:
        return bool(this_run.remembered(self.urn).get(CREATE_FIRST))

    @property
    def _mark(self) -> OwnershipMark:
        former = {str(self.olds[OWNER])} if OWNER in self.olds else set()
        return OwnershipMark(str(self.inputs.get(OWNER, "")), frozenset(former))


def _kept(replaced: Resource) -> dict[str, str]:
    """The values that a replacement keeps if the program omits them."""
    had = versions_of(replaced)
    return {"name": replaced.id, "kubernetesVersion": had.kubernetes, "talosVersion": had.talos}
