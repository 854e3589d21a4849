"""One program, two stacks, a cluster in each; the stacks' configuration says how big."""

import pulumi

from ksail_pulumi import OmniCluster

config = pulumi.Config()
stack = pulumi.get_stack()

cluster = OmniCluster(
    "cluster",
    name=f"shop-{stack}",
    control_plane={"count": config.require_int("controlPlanes")},
    workers=config.require_int("workers"),
    labels={"stage": stack},
    opts=pulumi.ResourceOptions(protect=stack == "prod"),
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
