"""The UUID and the credentials of a cluster, as Pulumi's `diff`, `create` and `update` of its children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckFailure, DiffResult
from pulumi.output import Unknown

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.lifecycle.credentials import expires_at, renewal_due
from ksail_pulumi.lifecycle.outputs import KUBECONFIG_INPUT, SECRETS
from ksail_pulumi.provider import contexts
from ksail_pulumi.provider.parent import cluster_urn, connection_of
from ksail_pulumi.provider.properties import CONNECTION, guarded
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.access.plugin import Plugin
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings

_WHICH = ("name", "clusterUuid")
"""The inputs that say which cluster it is."""

_ASKED = ("options", "enabled")


def see(settings: Settings, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Remember outputs of a cluster with these inputs for its children in this run."""
    kept = {key: outputs[key] for key in ("clusterUuid", *SECRETS, KUBECONFIG_INPUT) if outputs.get(key)}
    this_run.see(settings.endpoint_for(inputs), str(inputs.get("name")), kept)


def see_none(settings: Settings, inputs: Mapping[str, Any]) -> None:
    """Remember that a cluster with these inputs is not created yet."""
    this_run.see(settings.endpoint_for(inputs), str(inputs.get("name")), {"clusterUuid": ""})


def other_identity(settings: Settings, olds: Mapping[str, Any], news: Mapping[str, Any]) -> DiffResult:
    """Replace the identity if the cluster has another name, or is created (again) in this run."""
    now = _seen(settings, news).get("clusterUuid", olds.get("clusterUuid"))
    return _replaced(["name"]) if _other(olds, news, "name") or now != olds.get("clusterUuid") else DiffResult(False)


def identify(call: Call, settings: Settings, props: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of an identity."""
    uuid = _seen(settings, props).get("clusterUuid")
    if not uuid:
        from ksail_pulumi.lifecycle.identity import wait_for_uuid
        from ksail_pulumi.omni.client import connect

        uuid = wait_for_uuid(connect(settings.connection(connection_of(props))), str(props["name"]), call.cancelled)
    return {**props, "clusterUuid": uuid}


def differ(call: Call, output: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> DiffResult:
    """Replace a credential of another cluster; update it for other options, or because it is about to expire."""
    if others := [field for field in _WHICH if _other(olds, news, field)]:
        return _replaced(others)
    moves = contexts.moves(call, olds, news)
    if any(olds.get(field) != news.get(field) for field in _ASKED):
        return DiffResult(None)
    if moves or _asked(olds) != _asked(news):
        return DiffResult(True)
    text, options = str(olds.get(output) or ""), olds.get("options")
    if not renewal_due(text, options):
        return DiffResult(False)
    call.info(f"the {output} expires on {expires_at(text):%Y-%m-%d %H:%M} UTC and will be renewed")
    return DiffResult(True)


def refuse_context(call: Call, news: Mapping[str, Any]) -> list[CheckFailure]:
    """Refuse a new kubeconfig whose context would overwrite one that leads to another cluster."""
    if this_run.replaced(cluster_urn(call.urn)):
        return []  # in a preview the file still has the context of the replaced cluster
    try:
        contexts.refuse_another(news)
    except ConfigFileError as error:
        return [CheckFailure("", call.gate.ours(str(error)))]
    return []


def former(settings: Settings, props: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a credential that an earlier release stored with the cluster; empty if there is none."""
    seen = _seen(settings, props)
    return {**seen, "options": seen.get(KUBECONFIG_INPUT)} if SECRETS[0] in seen else {}


def request(settings: Settings, output: str, props: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a credential: the old one if it is for this cluster and as asked, or else a new one.

    Raises:
        OmniError: Omni refuses; a kubeconfig needs the role Operator.
    """
    made = {key: value for key, value in props.items() if key != output}
    if props.get("enabled", True) is False:
        return made
    text = old[output] if _serves(output, props, old) else _new(settings, output, props)
    return {**made, output: guarded(output, text)}


def _serves(output: str, props: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    if not old.get(output) or old.get("clusterUuid") != props["clusterUuid"]:
        return False
    if output == "talosconfig":
        return True
    return _asked(old) == _asked(props) and not renewal_due(old[output], props.get("options"))


def _asked(props: Mapping[str, Any]) -> list[Any]:
    """What a kubeconfig depends on. One that calls a command says how it reaches Omni."""
    options = props.get("options") or {}
    asked = [options.get(option) for option in ("user", "groups", "ttl")]
    return [*asked, "exec", props.get(CONNECTION)] if _is_exec(options) else asked


def _is_exec(options: Mapping[str, Any]) -> bool:
    return options.get("form") == "exec"


def _new(settings: Settings, output: str, props: Mapping[str, Any]) -> str:
    from ksail_pulumi.lifecycle.kubeconfigs import exec_kubeconfig
    from ksail_pulumi.model.durations import duration
    from ksail_pulumi.model.parse import Kubeconfig
    from ksail_pulumi.omni.client import connect

    client, name = connect(settings.connection(connection_of(props))), str(props["name"])
    if output == "talosconfig":
        return client.management.start_talosconfig(name).result()
    given = props.get("options") or {}
    if _is_exec(given):
        return exec_kubeconfig(client, _plugin(name, client.endpoint, props, given))
    options = Kubeconfig.model_validate(given)
    ttl = duration(options.ttl)
    return client.management.start_kubeconfig(name, user=options.user, groups=options.groups, ttl=ttl).result()


def _plugin(name: str, endpoint: str, props: Mapping[str, Any], options: Mapping[str, Any]) -> Plugin:
    from ksail_pulumi.access.plugin import Plugin

    return Plugin(
        cluster=name,
        endpoint=endpoint,
        uuid=str(props["clusterUuid"]),
        key_variable=str(connection_of(props).get("serviceAccountKeyEnvVar") or ""),
        user=str(options.get("user") or ""),
        groups=options.get("groups"),
        ttl=str(options.get("ttl") or ""),
    )


def _replaced(fields: list[str]) -> DiffResult:
    return DiffResult(True, replaces=fields)


def _other(olds: Mapping[str, Any], news: Mapping[str, Any], field: str) -> bool:
    """Whether an input differs or is not known: the cluster that it comes from is then replaced."""
    return isinstance(news.get(field), Unknown) or olds.get(field) != news.get(field)


def _seen(settings: Settings, props: Mapping[str, Any]) -> dict[str, Any]:
    return this_run.seen(settings.endpoint_for(connection_of(props)), str(props.get("name")))
