"""Machine configurations: what is set on a machine in whichever cluster it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import (
    AlreadyExistsError,
    KsailPulumiError,
    LifecycleError,
    PermissionDeniedError,
    WaitTimeoutError,
)
from ksail_pulumi.lifecycle.account import writing
from ksail_pulumi.lifecycle.kind import Found, Kind, remove
from ksail_pulumi.lifecycle.outputs import CONNECTING
from ksail_pulumi.lifecycle.patch_checks import PatchChecks
from ksail_pulumi.model.machine_config import MachineConfigInputs
from ksail_pulumi.model.machine_ids import machine_id
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.watch import Query
from ksail_pulumi.plan.diff import merge
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.machine_config import machine_changes, machine_inputs, resources_by_key, wanted_resources
from ksail_pulumi.plan.machine_findings import config_problems, effects, machine_fields, takeover
from ksail_pulumi.plan.machine_labels import labelled, labels_of
from ksail_pulumi.plan.machine_view import MachineView, Owner
from ksail_pulumi.plan.ownership import MachineConfigMark
from ksail_pulumi.plan.snapshot import INSTALL_DISK_API
from ksail_pulumi.problems import InvalidCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.model.cluster import Patch
    from ksail_pulumi.omni.channel import Call
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.machine_config import MachineChanges
    from ksail_pulumi.plan.ownership import OwnershipMark
    from ksail_pulumi.problems import FieldPath


class MachineConfigs(Kind[MachineConfigInputs]):
    """Machine configurations."""

    noun = "machine configuration"
    replaced_by = ("machineId",)
    model = MachineConfigInputs

    def id_of(self, spec: MachineConfigInputs) -> str:
        return spec.machine_id

    def preview(
        self,
        spec: MachineConfigInputs,
        before: MachineConfigInputs | None,
        mark: OwnershipMark,
        client: Client,
        *,
        adopt: bool,
    ) -> Findings:
        owner, had = _owner(mark, adopt=adopt), _same_machine(before, spec)
        checks = PatchChecks(client, _patches(spec), _patches(had))
        machine = _look(client, spec.machine_id, spec).staying
        changes = machine_changes(spec, had, machine, owner)
        failures = [*config_problems(spec, had, machine, owner, changes), *checks.problems()]
        forecasts = [] if failures else list(effects(changes, machine))
        if adopt and not failures:
            forecasts += takeover(spec, machine, owner)
        paths = {field: (field[1] or "machineId",) for field in machine_fields(spec)}
        labels = {**dict.fromkeys(labels_of(had)), **labels_of(spec)}
        return Findings(
            failures=tuple(failures), forecasts=tuple(forecasts), fields=paths, labels={spec.machine_id: labels}
        )

    def create(self, spec: MachineConfigInputs, mark: OwnershipMark, session: Session, *, adopt: bool) -> Found:
        return _write(spec, None, _owner(mark, adopt=adopt), session)

    def read(
        self, id_: str, client: Client, *, mark: OwnershipMark | None, spec: MachineConfigInputs | None
    ) -> Found | None:
        machine = machine_id(id_)
        inputs = machine_inputs(_look(client, machine, spec).staying, None if mark is None else _owner(mark), spec)
        return None if inputs is None else Found(machine, inputs)

    def update(
        self,
        id_: str,  # noqa: ARG002 - it is the machine's
        spec: MachineConfigInputs,
        before: MachineConfigInputs,
        mark: OwnershipMark,
        session: Session,
    ) -> Found:
        return _write(spec, before, _owner(mark), session)

    def delete(self, id_: str, spec: MachineConfigInputs, mark: OwnershipMark, session: Session) -> None:
        with writing(session.client):
            _Writer(None, spec, _settled(session, id_, spec), _owner(mark), session).write()


def _write(spec: MachineConfigInputs, before: MachineConfigInputs | None, owner: Owner, session: Session) -> Found:
    inputs: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    found = Found(spec.machine_id, {key: value for key, value in inputs.items() if key not in CONNECTING})
    with writing(session.client):
        writer = _Writer(spec, before, _settled(session, spec.machine_id, spec), owner, session)
        try:
            writer.write()
        except KsailPulumiError as error:
            if writer.wrote:
                error.outputs = found
            raise
    return found


def _owner(mark: OwnershipMark, *, adopt: bool = False) -> Owner:
    return Owner(MachineConfigMark(mark.owner, mark.former), adopt)


def _same_machine(before: MachineConfigInputs | None, spec: MachineConfigInputs) -> MachineConfigInputs | None:
    return before if before is not None and before.machine_id == spec.machine_id else None


def _patches(spec: MachineConfigInputs | None) -> Iterator[tuple[FieldPath, Patch]]:
    for index, patch in enumerate((spec.patches if spec is not None else None) or ()):
        yield ("patches", index), patch


def _look(client: Client, machine: str, spec: MachineConfigInputs | None) -> MachineView:
    """Read what Omni has of a machine, in one round trip."""
    state = client.state
    one = [
        state.start_find(kind, machine) for kind in (omni.MACHINE_STATUS, omni.MACHINE_SET_NODE, omni.MACHINE_LABELS)
    ]
    late = [state.start_find(kind, machine) for kind in (omni.KERNEL_ARGS, omni.MACHINE_INSTALL_DISK_CONFIG)]
    own, in_cluster = (
        state.start_list(omni.CONFIG_PATCH, {label: machine})
        for label in (omni.LABEL_MACHINE, omni.LABEL_CLUSTER_MACHINE)
    )
    system = state.start_find(omni.SYS_VERSION, "current")
    # A patch with the same ID may have other labels.
    wanted = wanted_resources(spec, MachineConfigMark(""), INSTALL_DISK_API) if spec is not None else []
    named = [state.start_find(each.type, each.id) for each in wanted if each.type == omni.CONFIG_PATCH]
    status, node, labels = (call.result() for call in one)
    found = [*own.result(), *(call.result() for call in named), *(_unless_unknown(call) for call in late)]
    by_key = {each.key: each for each in found if each is not None}
    patches = [each for each in by_key.values() if each.type == omni.CONFIG_PATCH]
    elsewhere = [each for each in patches if each.labels.get(omni.LABEL_MACHINE) != machine]
    return MachineView(
        machine,
        status=status,
        node=node,
        labels=labels,
        own=[each for each in by_key.values() if each not in elsewhere],
        elsewhere=elsewhere,
        in_cluster=in_cluster.result(),
        sys_version=system.result(),
    )


def _unless_unknown(call: Call[Resource | None]) -> Resource | None:
    """The result, or None if this Omni does not know the type."""
    try:
        return call.result()
    except PermissionDeniedError:
        return None


def _settled(session: Session, machine: str, spec: MachineConfigInputs | None) -> MachineView:
    """Read what Omni has of a machine, once everything of it that is being deleted is gone."""
    while (found := _look(session.client, machine, spec)).leaving:
        for each in found.leaving:
            remove(each, session, MachineConfigs.noun)
    return found.staying


@dataclass
class _Writer:
    """Writes changes of a machine.

    Attributes:
        spec: What the user asks for; None if all that is ours goes.
        before: The inputs before.
        machine: What Omni has.
        owner: Whose the resources are.
        session: The Omni and the deadline.
        wrote: Whether something has been written.
    """

    spec: MachineConfigInputs | None
    before: MachineConfigInputs | None
    machine: MachineView
    owner: Owner
    session: Session
    wrote: bool = False

    def write(self) -> None:
        """Write all changes.

        Raises:
            InvalidCluster: Something exists that is not ours, or a cluster sets it.
            OmniError: Omni refused a write.
            WaitTimeoutError: The machine does not show its labels, or something still exists at the deadline.
        """
        changes = self._changes()
        if self.spec is not None and (
            problems := list(config_problems(self.spec, self.before, self.machine, self.owner, changes))
        ):
            raise InvalidCluster(problems)
        self._put_all(changes, labels=False)
        while changes.destroys:
            # In the meantime, others may have taken it over, or added labels of theirs.
            self.machine = _look(self.session.client, self.machine.id, self.spec).staying
            changes = self._changes()
            if changes.destroys:
                remove(changes.destroys[0], self.session, MachineConfigs.noun)
        # A class takes a machine as soon as it has the labels.
        labels = self._put_all(changes, labels=True)
        if labels and self.spec is not None:
            self._await_labels(labels[0])

    def _changes(self) -> MachineChanges:
        return machine_changes(self.spec, self.before, self.machine, self.owner)

    def _put_all(self, changes: MachineChanges, *, labels: bool) -> list[Resource]:
        """Create and update the labels or everything else; what was written."""
        new = {each.key for each in changes.creates}
        baseline = resources_by_key(self.before, self.machine, self.owner)
        writes = [*changes.creates, *(update.desired for update in changes.updates)]
        wanted = [each for each in writes if (each.type == omni.MACHINE_LABELS) == labels]
        for each in wanted:
            self._put(each, baseline.get(each.key), new=each.key in new)
        return wanted

    def _put(self, wanted: Resource, baseline: Resource | None, *, new: bool) -> None:
        state = self.session.client.state
        if new:
            with suppress(AlreadyExistsError):  # if the answer of the first try was lost, or Omni made the labels
                state.create(wanted)
                self.wrote = True
                return

        def change(actual: Resource) -> Resource:
            if wanted.type == omni.MACHINE_LABELS:
                machine = replace(self.machine, labels=actual)
                return labelled(machine, labels_of(self.spec), labels_of(self.before), self.owner) or actual
            if new and not self.owner.owns(actual):
                raise LifecycleError(f"{actual} was created by someone else in the meantime: run `pulumi up` again")
            return merge(actual, wanted, baseline)

        state.modify(wanted.type, wanted.id, change)
        self.wrote = True

    def _await_labels(self, labels: Resource) -> None:
        """Wait until selectors find the machine by its labels."""
        gone = labels_of(self.before).keys() - labels.labels.keys()
        session = self.session
        with session.client.state.watch(
            Query(omni.MACHINE_STATUS, id=self.machine.id), cancelled=session.cancelled
        ) as watch:
            while (event := watch.next(timeout=session.deadline.remaining())) is not None:
                if event.resource is None:
                    continue
                shown = event.resource.labels
                if labels.labels.items() <= shown.items() and not gone & shown.keys():
                    return
        session.check_cancelled(f"waiting for the labels of machine {self.machine.name}")
        raise WaitTimeoutError(
            f"machine {self.machine.name} does not show its labels after {session.deadline.seconds:g} s"
        )


KIND = MachineConfigs()
