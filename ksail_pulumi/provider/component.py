"""`KSailCluster`: a cluster together with the provider for what runs in it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ComponentResource, Output, ProviderResource, ResourceOptions

from ksail_pulumi.errors import InputError
from ksail_pulumi.provider import program
from ksail_pulumi.provider.cluster import OmniCluster

if TYPE_CHECKING:
    from typing import Unpack

    from ksail_pulumi.provider.inputs import OmniClusterArgs, OmniClusterArgsDict


class KSailCluster(ComponentResource):
    """A cluster, and with `kubernetes_provider` a provider of pulumi-kubernetes for it.

        west = KSailCluster("west", workers=2, kubernetes_provider=True)
        Namespace("shop", opts=ResourceOptions(provider=west.provider))

    A change of the cluster and a renewed kubeconfig leave alone what is made through the provider. If the cluster is
    replaced, so is all of that.

    Attributes:
        cluster: The cluster.
    """

    cluster: OmniCluster

    def __init__(
        self,
        resource_name: str,
        args: OmniClusterArgs | OmniClusterArgsDict | None = None,
        opts: ResourceOptions | None = None,
        *,
        kubernetes_provider: bool = False,
        cluster_opts: ResourceOptions | None = None,
        **inputs: Unpack[OmniClusterArgsDict],
    ) -> None:
        """Declare a cluster.

        Args:
            resource_name: The name of the component, the cluster and the provider in Pulumi.
            args: The inputs of the cluster, as for `OmniCluster`; keyword arguments take precedence.
            opts: Pulumi's options of the component.
            kubernetes_provider: Whether to make a provider, which needs the package pulumi-kubernetes.
            cluster_opts: Pulumi's options of the cluster, such as `import_`, `custom_timeouts` and `ignore_changes`.
            **inputs: The inputs of the cluster as keyword arguments.

        Raises:
            InputError: pulumi-kubernetes is not installed; otherwise as for `OmniCluster`.
        """
        with program.reported(resource_name, "KSailCluster"):
            kubernetes = _kubernetes() if kubernetes_provider else None
        super().__init__("ksail:index:KSailCluster", resource_name, None, opts)
        within = ResourceOptions(parent=self)
        self.cluster = OmniCluster(resource_name, args, ResourceOptions.merge(cluster_opts, within), **inputs)
        self._resource_name = resource_name
        self._provider: ProviderResource | None = None
        if kubernetes is not None:
            self._provider = kubernetes.Provider(
                resource_name,
                kubeconfig=self.cluster.kubeconfig,
                cluster_identifier=self.cluster.cluster_uuid,
                opts=within,
            )
        self.register_outputs({})

    @property
    def kubeconfig(self) -> Output[str]:
        """The kubeconfig of the cluster, a secret."""
        return self.cluster.kubeconfig

    @property
    def provider(self) -> pulumi.ProviderResource:
        """The provider of pulumi-kubernetes for this cluster.

        Raises:
            InputError: There is none. Without one, pulumi-kubernetes would use the current context of kubectl.
        """
        if self._provider is None:
            with program.reported(self._resource_name, "KSailCluster"):
                raise InputError("", "it has no provider: pass kubernetes_provider=True")
        return self._provider


def _kubernetes() -> Any:
    try:
        return importlib.import_module("pulumi_kubernetes")
    except ImportError:
        raise InputError(
            "kubernetes_provider", "the package pulumi-kubernetes is not installed: pip install pulumi-kubernetes"
        ) from None
