"""Pulumi's verbs for the resources other than clusters, implemented with their `lifecycle.kind.Kind`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import Unknown

from ksail_pulumi.errors import InputError, KsailPulumiError, LifecycleError, NotFoundError
from ksail_pulumi.lifecycle.outputs import CONNECTING
from ksail_pulumi.model.parse import parse_inputs
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.endpoint import another_omni
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.problems import InvalidCluster, Problem
from ksail_pulumi.provider.check import show
from ksail_pulumi.provider.fields import FIELDS
from ksail_pulumi.provider.identity import adopts, in_another_omni, mark_of, owner
from ksail_pulumi.provider.machine_fields import set_elsewhere
from ksail_pulumi.provider.properties import (
    ADOPT,
    CREATE_FIRST,
    MARKED,
    NAME_LEFT_OUT,
    OMNI,
    OWNER,
    PACKAGE,
    PREVIEW,
    concerns,
    differs_for_certain,
    package_version,
    without_unknowns,
)
from ksail_pulumi.provider.properties import found as without_contents
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.secrecy import marked, newly_marked
from ksail_pulumi.provider.sessions import ask, left_omni, perhaps_gone, session_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ksail_pulumi.lifecycle.kind import Found, Kind
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings


@dataclass(frozen=True)
class Verbs:
    """The verbs for one call of the engine.

    Attributes:
        call: The call.
        kind: The kind of the resource.
        settings: The settings of the provider.
    """

    call: Call
    kind: Kind[Any]
    settings: Settings

    def check(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> CheckResult:
        """The inputs as they are stored, and their problems. Unchanged inputs are not checked again."""
        hidden = {key: news.get(key) for key in (ADOPT, CREATE_FIRST)}
        this_run.remember(self.call.urn, {**hidden, MARKED: news.get(MARKED) or []})
        inputs = _inputs(self.kind, news)
        if news.get(NAME_LEFT_OUT) and "name" in olds:
            inputs["name"] = olds["name"]
        if OWNER in news:
            inputs[OWNER] = owner(str(news[OWNER]), self.call.urn)
        asked, unknown = without_unknowns(_inputs(self.kind, inputs))
        if not unknown and asked == _inputs(self.kind, olds) and inputs.get(OWNER) == olds.get(OWNER):
            return CheckResult(inputs, [])
        if olds and news.get(PREVIEW):
            self._warn_of_replacement(olds, inputs, {path[0] for path in unknown})
        try:
            spec = parse_inputs(asked, self.kind.model)
            problems = [] if unknown else list(self._look(spec=spec, inputs=inputs, olds=olds, news=news))
        except InvalidCluster as error:
            problems = [problem for problem in error.problems if not concerns(problem.path, unknown)]
        # A failure that names a property would show its value.
        return CheckResult(inputs, [CheckFailure("", self.call.gate.ours(str(problem))) for problem in problems])

    def _warn_of_replacement(
        self, olds: Mapping[str, Any], inputs: Mapping[str, Any], unknown: Collection[str | int]
    ) -> None:
        """Warn of inputs that are not known before the `up` and may replace the resource."""
        for field in (*self.kind.replaced_by, "endpoint"):
            if field in unknown and not differs_for_certain(olds.get(field), inputs[field]):
                self.call.warning(f"{field} is not known yet. If it changes, the {self.kind.noun} is replaced")

    def _look(
        self,
        *,
        spec: Any,
        inputs: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Iterator[Problem]:
        """What Omni would refuse. Warnings and forecasts are shown in a preview."""
        id_, endpoint = self.kind.id_of(spec), self.settings.endpoint_for(inputs)
        if not olds and self._replaced_too_late(id_, endpoint):
            yield Problem((), _too_late(self.kind, id_))
            return
        if id_ and (other := this_run.other_asking(self.call.urn, endpoint, f"{self.kind.noun} {id_}")):
            yield Problem((), f"the resource {other!r} of this stack already manages {self.kind.noun} {id_!r}")
            return
        before = parse_inputs(_inputs(self.kind, olds), self.kind.model) if olds else None
        try:
            client = connect(self.settings.connection(inputs))
            found = ask(client, lambda: self._findings(spec, before, client, inputs=inputs, olds=olds))
        except KsailPulumiError as error:
            if news.get(PREVIEW):
                self.call.warning(str(error))
            return
        this_run.relabel(self.call.urn, endpoint, found.labels)
        if news.get(PREVIEW):
            show(self.call, found)
        yield from found.failures
        yield from set_elsewhere(self.call.urn, self.settings, inputs, found, cluster=False)

    def _findings(
        self, spec: Any, before: Any, client: Client, *, inputs: Mapping[str, Any], olds: Mapping[str, Any]
    ) -> Findings:
        """What Omni would refuse, and what will change."""
        id_ = self.kind.id_of(spec)
        mark = OwnershipMark(str(inputs.get(OWNER, "")), frozenset({str(olds[OWNER])} if OWNER in olds else ()))
        former = self.settings.endpoint_for(olds)
        left_behind: tuple[str, ...] = ()
        if before is not None and self._leaves(self.kind.id_of(before), former, client, mark):
            if "endpoint" not in inputs:
                reason = in_another_omni(id_, former, client.endpoint, self.kind.noun)
                return Findings(failures=(Problem(("endpoint",), reason),))
            former_client = left_omni(self.settings.connection(olds))
            left_behind = tuple(self.kind.deletion_warnings(before, former_client))
            before = None
        adopt = before is None and adopts(self.call.urn, client.endpoint, id_)
        found = self.kind.preview(spec, before, mark, client, adopt=adopt)
        return replace(found, warnings=(*left_behind, *found.warnings))

    def diff(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> DiffResult:
        """What differs in meaning; makes no call unless the endpoint has changed.

        `changes` is None if inputs differ: then the engine itself finds which ones.
        """
        this_run.keep(self.call.urn, {"name": id_, OMNI: str(olds.get(OMNI, ""))})
        old, new = _inputs(self.kind, olds), _inputs(self.kind, news)
        other_owner = olds.get(OWNER) != news.get(OWNER)
        if not _differ(self.kind, old, new):
            return DiffResult(changes=other_owner or newly_marked(self.call.urn, olds))
        replaces = [field for field in self.kind.replaced_by if differs_for_certain(old.get(field), new.get(field))]
        if self._other_omni(id_, olds, new):
            if "endpoint" not in new:
                raise LifecycleError(
                    in_another_omni(id_, str(olds[OMNI]), self.settings.endpoint_for(new), self.kind.noun)
                )
            replaces.append("endpoint")
        # When the engine compares, it also shows hidden properties.
        return DiffResult(changes=True if other_owner else None, replaces=replaces)

    def _other_omni(self, id_: str, olds: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether the inputs lead to another Omni, and not to the same one with another URL."""
        former = str(olds.get(OMNI, ""))
        if not former or isinstance(new.get("endpoint"), Unknown):
            return False
        if not another_omni(former, self.settings.endpoint_for(new)):
            return False
        return self._leaves(id_, former, connect(self.settings.connection(new)), mark_of(olds, self.call.urn))

    def _leaves(self, id_: str, former: str, client: Client, mark: OwnershipMark) -> bool:
        """Whether an Omni is not the former one, and does not have the resource."""
        # `check` does not know the ID of a backup: `diff` decides.
        if not id_ or not another_omni(former, client.endpoint):
            return False
        return self.kind.read(id_, client, mark=mark, spec=None) is None

    def create(self, inputs: Mapping[str, Any]) -> CreateResult:
        """Create the resource, or continue an earlier create of it."""
        spec = parse_inputs(_inputs(self.kind, inputs), self.kind.model)
        id_ = self.kind.id_of(spec)
        if self._replaced_too_late(id_, self.settings.endpoint_for(inputs)):
            raise LifecycleError(_too_late(self.kind, id_))
        session = session_for(self.call, self.settings, inputs, "create")
        mark = OwnershipMark(str(inputs.get(OWNER, "")))
        with self._saving(inputs, session.client):
            found = self.kind.create(spec, mark, session, adopt=adopts(self.call.urn, session.client.endpoint, id_))
        return CreateResult(found.id, self._outputs(found, inputs, session.client))

    @contextmanager
    def _saving(self, inputs: Mapping[str, Any], client: Client) -> Iterator[None]:
        """Let the engine save a resource of which a part exists, if its creation fails."""
        try:
            yield
        except KsailPulumiError as error:
            if error.outputs is None:
                raise
            saved = {**self._outputs(error.outputs, inputs, client), "__provider": inputs["__provider"]}
            raise self.call.partial_failure(error.outputs.id, saved, inputs, str(error)) from None

    def update(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> UpdateResult:
        """Change the resource to new inputs."""
        spec, before = (parse_inputs(_inputs(self.kind, each), self.kind.model) for each in (news, olds))
        session = session_for(self.call, self.settings, news, "update")
        mark = OwnershipMark(str(news.get(OWNER, "")), frozenset({str(olds.get(OWNER, ""))}))
        self._refuse_another_omni(id_, olds, session.client, mark)
        found = self.kind.update(id_, spec, before, mark, session)
        return UpdateResult(self._outputs(found, news, session.client))

    def read(self, id_: str, properties: Mapping[str, Any]) -> ReadResult:
        """Read the resource: for a refresh, with stored outputs as `properties`, or for `get`."""
        client = connect(self.settings.connection(properties))
        if PACKAGE not in properties:
            found = self.kind.read(id_, client, mark=None, spec=None)
            if found is None:
                raise NotFoundError(f"{self.kind.noun} {id_!r} not found in Omni at {client.endpoint}")
            return ReadResult(id_, without_contents({**found.inputs, **found.outputs}))
        mark, stored = mark_of(properties, self.call.urn), _inputs(self.kind, properties)
        with perhaps_gone(self.call.urn):
            found = self.kind.read(id_, client, mark=mark, spec=parse_inputs(stored, self.kind.model))
        if found is None:
            self._refuse_another_omni(id_, properties, client, mark)
            self.call.warning(
                f"{self.kind.noun} {id_!r} no longer exists in Omni at {client.endpoint}, or this resource no longer "
                "manages it: it is removed from the state"
            )
            return ReadResult("", {})
        kept = {key: properties[key] for key in (*CONNECTING, OWNER) if key in properties}
        inputs = {**kept, **found.inputs}
        marks = {MARKED: properties[MARKED]} if MARKED in properties else {}
        return ReadResult(id_, {**self._outputs(found, inputs, client), **marks}, inputs)

    def delete(self, id_: str, properties: Mapping[str, Any]) -> None:
        """Delete the resource and wait until it is gone."""
        session = session_for(self.call, self.settings, properties, "delete")
        mark = mark_of(properties, self.call.urn)
        with perhaps_gone(self.call.urn):
            self._refuse_another_omni(id_, properties, session.client, mark)
            self.kind.delete(id_, parse_inputs(_inputs(self.kind, properties), self.kind.model), mark, session)
        this_run.deletes(self.call.urn, session.client.endpoint, id_)

    def _outputs(self, found: Found, inputs: Mapping[str, Any], client: Client) -> dict[str, Any]:
        paths = marked(self.call.urn, inputs)
        return {
            **inputs,
            **found.outputs,
            OMNI: client.endpoint,
            PACKAGE: package_version(),
            **({MARKED: [list(path) for path in paths]} if paths else {}),
        }

    def _replaced_too_late(self, id_: str, endpoint: str) -> bool:
        """Whether a resource would be created before the one in the same place that it replaces is deleted."""
        urn = self.call.urn
        kept = this_run.kept(urn)
        if not id_ or kept.get("name") != id_ or another_omni(kept[OMNI], endpoint):
            return False
        return bool(this_run.remembered(urn).get(CREATE_FIRST)) and not this_run.has_deleted(urn, endpoint, id_)

    def _refuse_another_omni(
        self, id_: str, properties: Mapping[str, Any], client: Client, mark: OwnershipMark
    ) -> None:
        """Refuse to work on an Omni that is not the one where the resource was last seen, and does not have it.

        Raises:
            LifecycleError: With both endpoints.
        """
        former = str(properties.get(OMNI, ""))
        if former and self._leaves(id_, former, client, mark):
            raise LifecycleError(in_another_omni(id_, former, client.endpoint, self.kind.noun))


def _differ(kind: Kind[Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if old == new or pulumi.contains_unknowns(dict(new)):
        return old != new
    try:
        return bool(parse_inputs(old, kind.model) != parse_inputs(new, kind.model))
    except InputError:
        return True


def _inputs(kind: Kind[Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs among the properties of a resource."""
    names = [field.wire for field in FIELDS[kind.model.__name__].values()]
    return {name: properties[name] for name in names if properties.get(name) is not None}


def _too_late(kind: Kind[Any], id_: str) -> str:
    return (
        f"{kind.noun} {id_!r} cannot be created before the one that it replaces is deleted: set the option "
        "`delete_before_replace=True`"
    )
