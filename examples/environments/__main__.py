"""One program, three stacks, a cluster in each: the configuration of the stacks says how they differ."""

import pulumi

from ksail_pulumi import OmniCluster

config = pulumi.Config()
stack = pulumi.get_stack()

cluster = OmniCluster(
    "cluster",
    name=f"shop-{stack}",
    talos_version=config.require("talosVersion"),
    kubernetes_version=config.require("kubernetesVersion"),
    control_plane=config.require_int("controlPlanes"),
    workers=config.require_int("workers"),
    labels={"stage": stack},
    opts=pulumi.ResourceOptions(protect=stack == "prod"),
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("versions", [cluster.talos_version, cluster.kubernetes_version])
pulumi.export("kubeconfig", cluster.kubeconfig)
