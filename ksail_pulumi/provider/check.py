"""Pulumi's `check`: validates the inputs, and checks what Omni would refuse.

Unchanged inputs are not checked again, so a `pulumi up` without changes makes no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckFailure, CheckResult

from ksail_pulumi.errors import InputError, KsailPulumiError
from ksail_pulumi.lifecycle.outputs import inputs_in, stored_inputs
from ksail_pulumi.problems import Problem
from ksail_pulumi.provider.credentials import see_none
from ksail_pulumi.provider.identity import owner
from ksail_pulumi.provider.properties import (
    ADOPT,
    BACKED_UP,
    CHOSEN,
    CLASSES,
    CONFIGS,
    CREATE_FIRST,
    EARLIER,
    MARKED,
    NAME_LEFT_OUT,
    OWNER,
    POSTPONED,
    PREVIEW,
    REFUSED,
    REPLACED_ON,
    UNSEEN,
    VERSIONS,
    concerns,
    without_unknowns,
)
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.spelling import to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.problems import FieldPath
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings


def check(call: Call, settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> CheckResult:
    """The inputs in their stored form, and their problems."""
    try:
        inputs = _stored_form(call.urn, olds, news)
    except InputError as error:
        return CheckResult(dict(news), [_failure(call, str(error))])
    this_run.remember(call.urn, {key: bool(news.get(key)) for key in (ADOPT, CREATE_FIRST)} | {CHOSEN: {}, REFUSED: ""})
    this_run.remember(
        call.urn,
        {
            **{key: news.get(key) or [] for key in (CLASSES, CONFIGS, MARKED, REPLACED_ON)},
            EARLIER: news.get(EARLIER) or "",
            POSTPONED: None,
            UNSEEN: bool(olds) and _hidden(olds) != _hidden(inputs),
        },
    )
    asked, unknown = without_unknowns(inputs_in(inputs))
    if olds:
        # A replacement checks again, without the former inputs.
        this_run.remember(call.urn, {BACKED_UP: "delete" in (olds.get("backupBefore") or ())})
    else:
        see_none(settings, inputs)
    if olds and news.get(PREVIEW):
        _warn_of_replacement(call, unknown)
    failures: list[CheckFailure] = []
    if unknown or asked != inputs_in(olds) or inputs.get(OWNER) != olds.get(OWNER):
        spec, failures = _parsed(call, asked, unknown)
        if spec is not None and not failures and not unknown:
            inputs, failures = _look(call, settings, inputs, spec=spec, olds=olds, news=news)
    if not failures and ("name",) not in unknown:
        failures = _asked_twice(call, settings, inputs)
    return CheckResult(inputs, failures)


def _stored_form(urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of the program in wire names; an omitted name or version stays as it was."""
    inputs = stored_inputs(to_wire(inputs_in(news)))
    if OWNER in news:
        inputs[OWNER] = owner(str(news[OWNER]), urn)
    left_out = [version for version in VERSIONS if version not in inputs]
    if news.get(NAME_LEFT_OUT):
        left_out.append("name")
    inputs.update({key: olds[key] for key in left_out if key in olds})
    return inputs


def _hidden(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key.startswith("__") and key != "__provider"}


def _failure(call: Call, problem: Problem | str) -> CheckFailure:
    """A failure for the engine.

    The engine prints the value of the property that a failure names, secrets included, and `{<nil>}` for the path of a
    nested field. So no failure names one: the path is a part of the text.
    """
    return CheckFailure("", call.gate.ours(str(problem)))


def _parsed(
    call: Call, asked: Mapping[str, Any], unknown: list[FieldPath]
) -> tuple[ClusterSpec | None, list[CheckFailure]]:
    from ksail_pulumi.model.parse import InvalidCluster, parse_cluster

    try:
        return parse_cluster(asked), []
    except InvalidCluster as error:
        problems = [problem for problem in error.problems if not concerns(problem.path, unknown)]
        return None, [_failure(call, problem) for problem in problems]


def _warn_of_replacement(call: Call, unknown: list[FieldPath]) -> None:
    """Warn of inputs that are not known before the `up` and may replace the cluster."""
    for field in ("name", "endpoint"):
        if (field,) in unknown:
            call.warning(
                f"{field} is not known yet. If it changes, the cluster is replaced: it is deleted, and its machines "
                "are wiped"
            )


def _look(
    call: Call,
    settings: Settings,
    inputs: dict[str, Any],
    *,
    spec: ClusterSpec,
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
) -> tuple[dict[str, Any], list[CheckFailure]]:
    """What Omni would refuse, and the inputs with values from Omni. Forecasts are shown in a preview."""
    from ksail_pulumi.provider.looking import look
    from ksail_pulumi.provider.machine_fields import set_elsewhere

    name_left_out = bool(news.get(NAME_LEFT_OUT)) and "name" not in olds
    left_out = name_left_out or any(version not in inputs for version in VERSIONS)
    in_preview = bool(news.get(PREVIEW))
    try:
        found = look(call.urn, settings, inputs, spec=spec, olds=olds, name_left_out=name_left_out)
    except KsailPulumiError as error:
        if in_preview:
            call.warning(str(error))
        elif left_out and not olds:
            # A replacement keeps name and versions, which only the cluster in Omni has.
            this_run.remember(call.urn, {REFUSED: str(error)})
        return inputs, []
    if in_preview and olds and call.urn and not found.findings.failures:
        this_run.remember(call.urn, {POSTPONED: found.findings})
    elif in_preview:
        show(call, found.findings)
    elif found.deleted and found.findings.shortage:
        reason = f"{found.findings.shortage}. Cluster {found.deleted!r} is not deleted for its replacement"
        this_run.remember(call.urn, {REFUSED: reason})
    elsewhere = set_elsewhere(call.urn, settings, inputs, found.findings, cluster=True)
    return found.inputs, [_failure(call, problem) for problem in (*found.findings.failures, *elsewhere)]


def show(call: Call, findings: Findings) -> None:
    """Show what will change, each line once."""
    for log, lines in ((call.warning, findings.warnings), (call.info, findings.forecasts)):
        for line in lines:
            if this_run.is_news(call.urn, line):
                log(line)


def _asked_twice(call: Call, settings: Settings, inputs: Mapping[str, Any]) -> list[CheckFailure]:
    """Refuse a cluster that another resource of this stack manages."""
    name = str(inputs.get("name", ""))
    other = this_run.other_asking(call.urn, settings.endpoint_for(inputs), name)
    if other is None:
        return []
    reason = f"the resource {other!r} of this stack already manages cluster {name!r}: choose another name"
    return [_failure(call, Problem(("name",), reason))]
