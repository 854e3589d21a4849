"""Kubernetes Jobs that have to succeed before an upgrade goes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ksail_pulumi.model.cluster import HealthCheck
from ksail_pulumi.model.durations import duration, format_duration
from ksail_pulumi.model.patches import inline_of, patch_text
from ksail_pulumi.model.workloads import health_check_id
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.plan.parts.live import as_found, metadata_of
from ksail_pulumi.plan.parts.part import Part
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.resources import Resource
    from ksail_pulumi.plan.parts.asked import Asked
    from ksail_pulumi.plan.parts.live import Draft, Live
    from ksail_pulumi.plan.parts.part import Change, Outlook, Situation

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_ID = 253 - len("omni-healthcheck-")  # Omni names the Job after it


def desired(asked: Asked) -> Iterator[Resource]:
    for check in asked.spec.health_checks or ():
        message = specs_pb2.KubernetesHealthCheckSpec(job=patch_text(check.job))
        if check.interval is not None:
            message.interval.FromTimedelta(duration(check.interval))
        labels = {**(check.labels or {}), **asked.label}
        check_id = health_check_id(check, asked.spec.name)
        yield asked.resource(omni.KUBERNETES_HEALTH_CHECK, check_id, message, labels, check.annotations)


def observe(live: Live, draft: Draft) -> None:
    found = []
    for each in live.of(omni.KUBERNETES_HEALTH_CHECK):
        name = each.id.removeprefix(f"cluster-{live.cluster}-")
        interval = each.spec.interval.ToTimedelta()
        found.append(
            as_found(
                HealthCheck,
                **({"id_override": each.id} if name in ("", each.id) else {"name": name}),
                job=inline_of(each.spec.job),
                interval=format_duration(interval) if interval else None,
                **metadata_of(each),
            )
        )
    if found:
        draft.cluster["health_checks"] = tuple(found)


def rules(situation: Situation) -> Iterator[Problem]:
    """The name of the cluster, which may be a default, is part of the ID."""
    for index, check in enumerate(situation.spec.health_checks or ()):
        check_id = health_check_id(check, situation.spec.name)
        if wrong := _no_runner_name(check_id):
            field = "idOverride" if check.id_override else "name"
            reason = f"healthcheck ID cannot be used to build the runner name: {wrong}"
            if not check.id_override:
                reason += "; change it or the name of the cluster, or set idOverride"
            yield Problem(("healthChecks", index, field), reason)


def _no_runner_name(check_id: str) -> str | None:
    """Why Omni cannot name the Job of a health check after it."""
    if len(check_id) > _LONGEST_ID:
        return f"must be no more than {_LONGEST_ID} characters"
    if not _SUBDOMAIN.fullmatch(check_id):
        return (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character"
        )
    return None


def describe(change: Change, _: Outlook) -> str:
    return f"{change.verb} health check {change.resource.id}"


PART = Part(
    type=omni.KUBERNETES_HEALTH_CHECK,
    nouns=("health check", "health checks"),
    desired=desired,
    observe=observe,
    rules=rules,
    describe=describe,
    late=True,
)
