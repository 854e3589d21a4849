"""Pulumi's `diff`: compares the stored outputs with the inputs by meaning.

It makes no call, unless the endpoint has changed: then it checks whether that is the same Omni.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import DiffResult
from pulumi.output import Unknown

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.outputs import SAME_SINCE, inputs_in, reached
from ksail_pulumi.provider.check import show
from ksail_pulumi.provider.credentials import see
from ksail_pulumi.provider.identity import form_of, identity_of, in_another_omni, keep, mark_of, refuse_newer
from ksail_pulumi.provider.properties import (
    OMNI,
    OWNER,
    PINNED,
    POSTPONED,
    UNFINISHED,
    UNSEEN,
    VERSIONS,
    differs_for_certain,
)
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.secrecy import newly_marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings


def diff(call: Call, settings: Settings, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> DiffResult:
    """Compare the outputs in the state with the inputs of the program.

    `changes` is None if inputs differ: then the engine itself finds which ones, for its display and for
    `replace_on_changes`. It is True if an update is needed with the same inputs, or if a hidden input differs too.

    Raises:
        LifecycleError: A newer release wrote the state.
        OmniError: The endpoint has changed, and the new one does not answer.
    """
    refuse_newer(olds)
    if postponed := this_run.remembered(call.urn).get(POSTPONED):
        show(call, postponed)
    keep(call.urn, id_, olds)
    see(settings, {**news, "name": id_}, olds)
    old, new = _left_by_the_program(settings, olds, news), inputs_in(news)
    if not _differ(old, new):
        why = list(reasons(olds))
        for reason in why:
            if this_run.is_news(call.urn, reason):
                call.info(reason)
        other_owner = olds.get(OWNER) != news.get(OWNER)  # `check` reports it
        return DiffResult(changes=bool(why) or other_owner or newly_marked(call.urn, olds))
    replaces = []
    if differs_for_certain(old.get("name"), new.get("name")):
        replaces.append("name")
        _stays_in_its_omni(settings, id_, olds, new)
    if _other_omni(call, settings, id_, olds, new):
        replaces.append("endpoint")
        this_run.leaves(call.urn)
    # When the engine compares, it also shows hidden properties.
    changes = True if this_run.remembered(call.urn).get(UNSEEN) else None
    # The option `delete_before_replace` of the program takes precedence (pulumi 3.276), and our class sets it.
    return DiffResult(changes=changes, replaces=replaces, delete_before_replace=bool(replaces))


def reasons(olds: Mapping[str, Any]) -> Iterator[str]:
    """Why an update is needed although the inputs are the same."""
    if form_of(olds) < SAME_SINCE:
        yield "the state was written by an earlier release and will be updated; the cluster does not change"
    if not reached(olds):
        yield "the cluster was not ready at the end of the last `pulumi up` or refresh: the update waits for it"
    if olds.get(UNFINISHED):
        yield "the creation of the cluster has not finished: the update finishes it"


def _left_by_the_program(settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in stored outputs, without what the program now omits and what stays as it is for that reason.

    That is a version that was chosen for the program, and an endpoint that leads to the same Omni as the stack's.
    """
    old = inputs_in(olds)
    omitted = set(olds.get(PINNED, VERSIONS))
    if "endpoint" in old and "endpoint" not in news and not _other_endpoint(settings, olds, news):
        omitted.add("endpoint")
    return {key: value for key, value in old.items() if key in news or key not in omitted}


def _stays_in_its_omni(settings: Settings, id_: str, olds: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to replace a cluster by one in another Omni if the program has no endpoint: only that moves a cluster.

    Raises:
        LifecycleError: The endpoint of the stack or the environment leads to another Omni than that of the cluster.
    """
    now = settings.endpoint_for(new)
    if "endpoint" not in new and olds.get(OMNI) and now and _other_endpoint(settings, olds, new):
        raise LifecycleError(in_another_omni(id_, str(olds[OMNI]), now))


def _other_endpoint(settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    from ksail_pulumi.omni.endpoint import another_omni

    return another_omni(olds.get(OMNI) or settings.endpoint_for(olds), settings.endpoint_for(news))


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if old == new:
        return False
    if pulumi.contains_unknowns(new):
        return True
    from ksail_pulumi.model.parse import InvalidCluster, parse_cluster

    try:
        return parse_cluster(old) != parse_cluster(new)
    except InvalidCluster:
        return True


def _other_omni(call: Call, settings: Settings, id_: str, olds: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the inputs name another Omni, and not the same one with another URL."""
    if "endpoint" not in new or isinstance(new["endpoint"], Unknown) or olds.get("endpoint") == new["endpoint"]:
        return False  # only an endpoint in the program moves a cluster; without one, `update` refuses another Omni
    if not _other_endpoint(settings, olds, new):
        return False
    from ksail_pulumi.omni.client import connect
    from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_UUID

    state = connect(settings.connection(new)).state
    cluster, uuid = state.start_find(CLUSTER, id_), state.start_find(CLUSTER_UUID, id_)
    found = cluster.result()
    return not identity_of(id_, {**olds, OMNI: ""}, mark_of(olds, call.urn)).is_in(found, uuid.result(), "")
