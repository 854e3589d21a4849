"""Pulumi's `check`: are the inputs right, and would Omni take them?

Inputs that have not changed are not looked at again, so a `pulumi up` without changes makes no call.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckFailure, CheckResult

from ksail_pulumi.errors import InputError, KsailPulumiError
from ksail_pulumi.lifecycle.outputs import inputs_in, stored_inputs
from ksail_pulumi.provider.properties import ADOPT, OWNER, PREVIEW, VERSIONS, concerns, without_unknowns
from ksail_pulumi.provider.spelling import to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.omni.channel import Connection
    from ksail_pulumi.plan.findings import Findings
    from ksail_pulumi.provider.host import Call
    from ksail_pulumi.provider.settings import Settings
    from ksail_pulumi.spec.cluster import ClusterSpec

LOOK_SECONDS = 10.0
"""How long a preview waits for Omni; after that it goes on without its opinion."""


def check(call: Call, settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> CheckResult:
    """The inputs in their stored form, and what is wrong with them."""
    try:
        inputs = _stored_form(olds, news)
    except InputError as error:
        return CheckResult(dict(news), [CheckFailure(error.field, error.reason)])
    asked, unknown = without_unknowns(inputs_in(inputs))
    if not unknown and asked == inputs_in(olds):
        return CheckResult(inputs, [])
    spec, failures = _parsed(asked, unknown)
    if spec is not None and not failures and not unknown:
        lines = call if news.get(PREVIEW) else None
        failures = _ask_omni(lines, settings, inputs, spec, olds)
    return CheckResult(inputs, failures)


def _stored_form(olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """What the program sent, spelled as on the wire, with what stays as it was: the owner, and versions left out."""
    inputs = stored_inputs(to_wire(inputs_in(news)))
    for key in (OWNER, ADOPT):
        if key in news:
            inputs[key] = news[key]
    for key in (OWNER, *VERSIONS):
        if key in olds and (key == OWNER or key not in inputs):
            inputs[key] = olds[key]
    return inputs


def _parsed(asked: Mapping[str, Any], unknown: list[str]) -> tuple[ClusterSpec | None, list[CheckFailure]]:
    from ksail_pulumi.spec.cluster import InvalidCluster, parse_cluster

    try:
        return parse_cluster(asked), []
    except InvalidCluster as error:
        problems = [problem for problem in error.problems if not concerns(problem.field, unknown)]
        return None, [CheckFailure(problem.field, problem.reason) for problem in problems]


def _ask_omni(
    lines: Call | None, settings: Settings, inputs: Mapping[str, Any], spec: ClusterSpec, olds: Mapping[str, Any]
) -> list[CheckFailure]:
    """What Omni would refuse; what else it says goes to `lines`, in a preview. Without an Omni there is no opinion."""
    try:
        connection = settings.connection(inputs)
        findings = _within_seconds(LOOK_SECONDS, connection, inputs, spec, olds)
    except KsailPulumiError as error:
        if lines is not None:
            lines.warning(str(error))
        return []
    if findings is None:
        if lines is not None:
            lines.warning(f"Omni at {connection.endpoint} did not answer within {LOOK_SECONDS:g} s")
        return []
    if lines is not None:
        for warning in findings.warnings:
            lines.warning(warning)
        for forecast in findings.forecasts:
            lines.info(forecast)
    return [CheckFailure(problem.field, problem.reason) for problem in findings.failures]


def _within_seconds(
    seconds: float, connection: Connection, inputs: Mapping[str, Any], spec: ClusterSpec, olds: Mapping[str, Any]
) -> Findings | None:
    """The findings, or None if they take too long; the calls then end by their own deadline, unheard."""
    outcome: list[Findings | Exception] = []

    def look() -> None:
        try:
            outcome.append(_findings(connection, inputs, spec, olds))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=look, name="ksail-pulumi-check", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        return None
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _findings(
    connection: Connection, inputs: Mapping[str, Any], spec: ClusterSpec, olds: Mapping[str, Any]
) -> Findings:
    from ksail_pulumi.lifecycle.preview import preview
    from ksail_pulumi.omni.client import connect
    from ksail_pulumi.plan.desired import OwnershipMark
    from ksail_pulumi.spec.cluster import parse_cluster

    before = parse_cluster(inputs_in(olds)) if olds else None
    if before is not None and (before.name, before.endpoint) != (spec.name, spec.endpoint):
        before = None  # a replacement: what was there before is another cluster
    mark = OwnershipMark(inputs.get(OWNER, ""))
    return preview(spec, before, mark, connect(connection), adopt=bool(inputs.get(ADOPT)))
