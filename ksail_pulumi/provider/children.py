"""The children of a cluster, which keep their outputs while the cluster changes, and the providers behind them.

In the preview of an update Pulumi knows only the inputs of a dynamic resource. If the kubeconfig were an output of the
cluster, every change of the cluster would plan the replacement of all that is made through it.

The providers' import paths are written into every state file; they are public for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from pulumi import Output, ResourceOptions, dynamic

from ksail_pulumi.lifecycle.outputs import CONNECTING, SECRETS, stored_name
from ksail_pulumi.provider import contexts, program
from ksail_pulumi.provider.base import OmniProvider
from ksail_pulumi.provider.host import call as host
from ksail_pulumi.provider.properties import CONNECTION, guarded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pulumi


class ClusterIdentityProvider(OmniProvider):
    """Reads the UUID of a cluster once; another cluster is another identity."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """A replacement for another cluster; no call is made."""
        from ksail_pulumi.provider.credentials import other_identity

        with host.call(_olds, _news):
            return other_identity(self._settings, _olds, _news)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Read the UUID."""
        from ksail_pulumi.provider.credentials import identify

        with host.call(props) as call:
            return dynamic.CreateResult(props["name"], identify(call, self._settings, props))


class _CredentialProvider(OmniProvider):
    """Requests a credential, and again once it is about to expire."""

    output: ClassVar[str]

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """A replacement for another cluster, an update for other options or before the expiry; no call is made."""
        from ksail_pulumi.provider.credentials import differ

        with host.call(_olds, _news) as call:
            return differ(call, self.output, _olds, _news)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Request it, unless an earlier release stored one with the cluster that is still valid."""
        from ksail_pulumi.provider.credentials import former, request

        with host.call(props) as call:
            made = request(self._settings, self.output, props, former(self._settings, props))
            contexts.keep(call, self._settings, made, {})
            return dynamic.CreateResult(props["name"], made)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Request another one, unless the present one is as asked."""
        from ksail_pulumi.provider.credentials import request

        with host.call(_olds, _news) as call:
            made = request(self._settings, self.output, _news, _olds)
            contexts.keep(call, self._settings, made, _olds)
            return dynamic.UpdateResult(made)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """What the state has, because Omni does not keep credentials, and whether the context is still in its file."""
        with host.call(props) as call:
            found = contexts.seen(call, props)
        return dynamic.ReadResult(id_, {key: guarded(key, value) for key, value in found.items()})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the context from its file, unless the cluster belongs to somebody else now."""
        with host.call(props) as call:
            contexts.remove(call, self._settings, props)


class KubeconfigProvider(_CredentialProvider):
    """Requests kubeconfigs."""

    output = "kubeconfig"

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse the context of a new cluster that cannot be written; `diff` does so for an update."""
        from ksail_pulumi.provider.credentials import refuse_context

        with host.call(_olds, news) as call:
            return dynamic.CheckResult(news, [] if _olds else refuse_context(call, news))


class TalosconfigProvider(_CredentialProvider):
    """Requests talosconfigs."""

    output = "talosconfig"


class ClusterIdentity(dynamic.Resource, module="ksail", name="ClusterIdentity"):
    """The UUID of a cluster."""


class Kubeconfig(dynamic.Resource, module="ksail", name="Kubeconfig"):
    """A kubeconfig for a cluster."""


class Talosconfig(dynamic.Resource, module="ksail", name="Talosconfig"):
    """A talosconfig for a cluster."""


_KINDS: Mapping[str, tuple[type[dynamic.Resource], type[OmniProvider], str]] = {
    "clusterUuid": (ClusterIdentity, ClusterIdentityProvider, "identity"),
    "kubeconfig": (Kubeconfig, KubeconfigProvider, "kubeconfig"),
    "talosconfig": (Talosconfig, TalosconfigProvider, "talosconfig"),
}
"""By output: the child, its provider, and the end of its name."""

_ASKED = {"kubeconfig": "options", "talosconfig": "enabled"}
"""The input of a child that is the input of the cluster with the same name as the output."""


class Children:
    """The children of one cluster.

    A cluster that the program manages has all of them from the beginning. One that it only reads has those that the
    program asks for: not every role may request credentials.
    """

    def __init__(
        self, cluster: pulumi.Resource, resource_name: str, opts: ResourceOptions, inputs: Collection[str]
    ) -> None:
        """Belong to a cluster with these options and inputs, by their names on the wire."""
        self._cluster = cluster
        self._name = resource_name
        self._managed = opts.id is None
        self._secret = {*SECRETS, *(opts.additional_secret_outputs or ())}
        self._inputs = inputs
        self._made: dict[str, Output[Any]] = {}
        self._uuid = _output(cluster, "clusterUuid")
        if self._managed:
            self._uuid = self._declare("clusterUuid", {})
            for output in SECRETS:
                self.credential(output)

    @property
    def cluster_uuid(self) -> Output[str]:
        """Omni's UUID of the cluster."""
        return self._uuid

    def credential(self, output: str) -> Output[Any]:
        """The output `kubeconfig` or `talosconfig`."""
        if output not in self._made:
            asked = {_ASKED[output]: self._input(output)} if output in self._inputs else {}
            if output == "kubeconfig" and asked:
                asked[contexts.CONTEXT_FILE] = Output.all(_output(self._cluster, "name"), self._input(output)).apply(
                    lambda both: self._context_file(*both)
                )
            self._made[output] = self._declare(output, {"clusterUuid": self._uuid, **asked})
        return self._made[output]

    def _context_file(self, cluster: str, options: Any) -> str | None:
        with program.reported(self._name):
            return contexts.file_for(cluster, options)

    def _declare(self, output: str, inputs: Mapping[str, Any]) -> Output[Any]:
        kind, provider, suffix = _KINDS[output]
        connection = {name: self._input(name) for name in CONNECTING if name in self._inputs}
        properties = {"name": _output(self._cluster, "name"), **inputs, CONNECTION: connection, output: None}
        # Not `replace_with`: some commands on a state crash with it (pulumi 3.276). The identity replaces itself if the
        # cluster is another one, and the credentials follow it.
        options = ResourceOptions(
            parent=self._cluster,
            # A protected child could not follow a cluster that is created again. To delete it deletes nothing in Omni.
            protect=False,
            additional_secret_outputs=[output] if output in self._secret else None,
        )
        child = kind(provider(), f"{self._name}-{suffix}", properties, options)
        return _new_or_stored(child, output, self._cluster) if self._managed else _output(child, output)

    def _input(self, name: str) -> Output[Any]:
        """An input of the cluster as Pulumi has it: what `ignore_changes` keeps is kept for the children too."""
        return _output(self._cluster, stored_name(name))


def _output(resource: pulumi.Resource, key: str) -> Output[Any]:
    return cast("Output[Any]", resource.__dict__[key])


def _new_or_stored(child: dynamic.Resource, key: str, cluster: pulumi.Resource) -> Output[Any]:
    """The output of a child; in a preview that creates the child, what an earlier release stored with the cluster."""
    made, stored = _output(child, key), _output(cluster, key)

    async def chosen() -> Output[Any]:
        if not await child.id.is_known() and await stored.is_known() and await stored.future() is not None:
            return stored
        return made

    return Output.from_input(chosen())
