"""The cluster of a KSail project: its files stay as they are, and the program adds what ksail.yaml has no place for."""

import pulumi

from ksail_pulumi import OmniCluster

stack = pulumi.get_stack()

cluster = OmniCluster.from_ksail(
    "ksail.yaml",
    # Arguments take precedence over the file.
    name=f"shop-{stack}",
    labels={"stage": stack},
    system_extensions=["siderolabs/iscsi-tools"],
)

pulumi.export("name", cluster.name)
pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
