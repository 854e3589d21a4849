"""Dynamic resources that do nothing: what `OmniCluster` is measured beside."""

from __future__ import annotations

from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class EmptyProvider(ResourceProvider):
    """Creates nothing."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:  # noqa: ARG002 - Pulumi's signature
        return CreateResult("empty", {})


class Empty(Resource):
    """Nothing, as a resource."""

    def __init__(self, name: str, opts: ResourceOptions | None = None) -> None:
        super().__init__(EmptyProvider(), name, {}, opts)


def empty_cluster(name: str) -> None:
    """As many resources as a cluster registers: itself, its identity, and then two credentials."""
    cluster = Empty(name)
    identity = Empty(f"{name}-identity", ResourceOptions(parent=cluster, depends_on=cluster))
    for credential in ("kubeconfig", "talosconfig"):
        Empty(f"{name}-{credential}", ResourceOptions(parent=cluster, depends_on=identity))
