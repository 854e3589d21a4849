"""Pulumi's `diff`: what differs in meaning between the stored outputs and the inputs. Makes no call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import DiffResult
from pulumi.output import Unknown

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.lifecycle.credentials import renewal_due
from ksail_pulumi.lifecycle.outputs import inputs_in, reached
from ksail_pulumi.provider.properties import PINNED, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.provider.settings import Settings


def diff(settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> DiffResult:
    """Compare the outputs in the state with the inputs of the program.

    `changes` is None where inputs differ: the engine then finds out itself which, for its display and for
    `replace_on_changes`. It is True where the inputs are the same and there is work all the same.
    """
    old, new = _without_pins(olds, news), inputs_in(news)
    if not _differ(old, new):
        return DiffResult(changes=not reached(olds) or renewal_due(olds))
    replaces = []
    if _known_and_other(old.get("name"), new.get("name")):
        replaces.append("name")
    if _other_omni(settings, old, new):
        replaces.append("endpoint")
    # Two clusters cannot have the same machines at one time.
    machines_are_needed_twice = "endpoint" not in replaces and _names_machines(new)
    return DiffResult(
        changes=None, replaces=replaces, delete_before_replace=bool(replaces) and machines_are_needed_twice
    )


def _without_pins(olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in stored outputs. A version that was left to us and still is does not count."""
    left_to_us = set(olds.get(PINNED, VERSIONS)) - set(news)
    return {key: value for key, value in inputs_in(olds).items() if key not in left_to_us}


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if old == new:
        return False
    if pulumi.contains_unknowns(new):
        return True
    from ksail_pulumi.spec.cluster import InvalidCluster, parse_cluster

    try:
        return parse_cluster(old) != parse_cluster(new)
    except InvalidCluster:
        return True


def _known_and_other(old: Any, new: Any) -> bool:
    return not isinstance(new, Unknown) and old != new


def _other_omni(settings: Settings, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the inputs lead to another Omni, not to the same one written in another way or in another place."""
    if isinstance(new.get("endpoint"), Unknown):
        return False
    return _target(settings.endpoint_for(old)) != _target(settings.endpoint_for(new))


def _target(endpoint: str) -> str:
    from ksail_pulumi.omni.endpoint import normalise_endpoint

    try:
        return normalise_endpoint(endpoint).target
    except SettingsError:
        return endpoint


def _names_machines(inputs: Mapping[str, Any]) -> bool:
    """Whether one of the machine sets lists its machines."""
    workers = inputs.get("workers")
    sets = [inputs.get("controlPlane"), *(workers if isinstance(workers, list) else ())]
    return any(isinstance(machine_set, dict) and machine_set.get("machines") for machine_set in sets)
