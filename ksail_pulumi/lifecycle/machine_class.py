"""Machine classes: which machines Omni allocates to the machine sets that use one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ksail_pulumi.errors import (
    AlreadyExistsError,
    ForeignClusterError,
    LifecycleError,
    NotFoundError,
    PermissionDeniedError,
    RefusedError,
)
from ksail_pulumi.lifecycle.account import writing
from ksail_pulumi.lifecycle.kind import Found, Kind, refuse_foreign, remove
from ksail_pulumi.lifecycle.ownership import owner_in_words
from ksail_pulumi.model.machine_class import MachineClassInputs
from ksail_pulumi.omni.resources import INFRA_PROVIDER_STATUS, MACHINE_CLASS, MACHINE_SET
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.machine_class import (
    class_inputs,
    deletion_warning,
    effects,
    kind_problems,
    takeover,
    unknown_provider,
    users_of,
    with_class,
)
from ksail_pulumi.problems import InvalidCluster, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.lifecycle.session import Session
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.ownership import OwnershipMark


class MachineClasses(Kind[MachineClassInputs]):
    """Machine classes."""

    noun = "machine class"
    model = MachineClassInputs

    def id_of(self, spec: MachineClassInputs) -> str:
        return spec.name

    def preview(
        self,
        spec: MachineClassInputs,
        before: MachineClassInputs | None,
        mark: OwnershipMark,
        client: Client,
        *,
        adopt: bool,
    ) -> Findings:
        find, sets = client.state.start_find(MACHINE_CLASS, spec.name), client.state.start_list(MACHINE_SET)
        providers = client.state.start_list(INFRA_PROVIDER_STATUS) if spec.auto_provision is not None else None
        actual, used = find.result(), users_of(spec.name, sets.result())
        known: list[Resource] | None = None
        with suppress(PermissionDeniedError):  # then Omni validates it when the class is written
            known = providers.result() if providers is not None else None
        failures = [*unknown_provider(spec, known)]
        warnings: list[str] = []
        forecasts: list[str] = []
        if actual is not None and not actual.tearing_down:
            failures += kind_problems(actual, spec, used)
            failures += self._refused(actual, mark, adopt=adopt)
            warnings += effects(actual, spec, used)
            forecasts += takeover(actual, spec, owner_in_words(actual)) if adopt else ()
        elif adopt:
            failures.append(Problem(("name",), _not_there(spec.name, client)))
        elif before is not None and before.name == spec.name:
            failures.append(Problem((), _missing(spec.name, client)))
        if before is not None and before.name != spec.name:
            warnings += deletion_warning(before.name, users_of(before.name, sets.result()))
        return Findings(tuple(failures), tuple(warnings), tuple(forecasts))

    def deletion_warnings(self, spec: MachineClassInputs, client: Client) -> Iterator[str]:
        yield from deletion_warning(spec.name, users_of(spec.name, client.state.list(MACHINE_SET)))

    def _refused(self, actual: Resource, mark: OwnershipMark, *, adopt: bool) -> Iterator[Problem]:
        try:
            if not adopt:
                refuse_foreign(self.noun, actual, mark, "change")
        except ForeignClusterError as error:
            yield Problem(("name",), str(error))

    def create(self, spec: MachineClassInputs, mark: OwnershipMark, session: Session, *, adopt: bool) -> Found:
        if session.client.state.find(MACHINE_CLASS, spec.name) is not None:
            return self._write(spec, mark, session, adopt=adopt)
        if adopt:
            raise NotFoundError(_not_there(spec.name, session.client))
        try:
            with writing(session.client):
                session.client.state.create(with_class(None, spec, mark.annotations()))
        except AlreadyExistsError:
            return self._write(spec, mark, session, adopt=False)  # ours if only the answer of the first try was lost
        return _found(with_class(None, spec, {}), spec)

    def read(
        self, id_: str, client: Client, *, mark: OwnershipMark | None, spec: MachineClassInputs | None
    ) -> Found | None:
        actual = client.state.find(MACHINE_CLASS, id_)
        if actual is None or actual.tearing_down or not (mark is None or mark.names(mark.owner_of(actual))):
            return None
        return _found(actual, spec)

    def update(
        self,
        id_: str,  # noqa: ARG002 - it is the name
        spec: MachineClassInputs,
        before: MachineClassInputs,  # noqa: ARG002 - what Omni has counts
        mark: OwnershipMark,
        session: Session,
    ) -> Found:
        if session.client.state.find(MACHINE_CLASS, spec.name) is None:
            raise LifecycleError(_missing(spec.name, session.client))
        return self._write(spec, mark, session, adopt=False)

    def _write(self, spec: MachineClassInputs, mark: OwnershipMark, session: Session, *, adopt: bool) -> Found:
        state = session.client.state
        used = users_of(spec.name, state.list(MACHINE_SET))

        def change(actual: Resource) -> Resource:
            if not adopt:
                refuse_foreign(self.noun, actual, mark, "change")
            if problems := list(kind_problems(actual, spec, used)):
                raise InvalidCluster(problems)
            return with_class(actual, spec, mark.annotations())

        with writing(session.client):
            written = state.modify(MACHINE_CLASS, spec.name, change)
        return _found(written, spec)

    def delete(
        self,
        id_: str,
        spec: MachineClassInputs,  # noqa: ARG002 - the name is enough
        mark: OwnershipMark,
        session: Session,
    ) -> None:
        actual = session.client.state.find(MACHINE_CLASS, id_)
        if actual is None:
            return
        refuse_foreign(self.noun, actual, mark, "delete")
        try:
            with writing(session.client):
                remove(actual, session, self.noun)
        except RefusedError as error:
            raise RefusedError(
                f"{error}. Remove these machine sets, or give them another machine class, before you delete this one",
                method=error.method,
                detail=error.detail,
            ) from error


def _found(actual: Resource, spec: MachineClassInputs | None) -> Found:
    return Found(actual.id, {"name": actual.id, **class_inputs(actual.spec, spec)})


def _not_there(name: str, client: Client) -> str:
    return f"machine class {name!r} not found in Omni at {client.endpoint}: remove `import_` to create it"


def _missing(name: str, client: Client) -> str:
    return (
        f"machine class {name!r} does not exist in Omni at {client.endpoint}. If it was deleted, run `pulumi refresh`; "
        "the next `pulumi up` creates it again. If it is in another Omni, set `omni:endpoint` or OMNI_ENDPOINT"
    )


KIND = MachineClasses()
