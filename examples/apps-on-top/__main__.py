"""A cluster and what runs in it, in one program."""

import pulumi
import pulumi_kubernetes as kubernetes

from ksail_pulumi import KSailCluster

config = pulumi.Config()

west = KSailCluster("west", workers=config.require_int("workers"), kubernetes_provider=True)

on_west = pulumi.ResourceOptions(provider=west.provider)
shop = kubernetes.core.v1.Namespace("shop", metadata={"name": "shop"}, opts=on_west)
settings = kubernetes.core.v1.ConfigMap(
    "settings",
    metadata={"name": "settings", "namespace": "shop"},
    data={"currency": "EUR"},
    opts=pulumi.ResourceOptions(provider=west.provider, depends_on=[shop]),
)

pulumi.export("nodes", west.cluster.nodes)
pulumi.export("kubeconfig", west.kubeconfig)
