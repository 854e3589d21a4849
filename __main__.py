"""The cluster that ksail.yaml describes, on Sidero Omni."""

import pulumi

from ksail_pulumi import OmniCluster

cluster = OmniCluster.from_ksail("ksail.yaml")

pulumi.export("name", cluster.name)
pulumi.export("phase", cluster.phase)
pulumi.export("talosVersion", cluster.talos_version)
pulumi.export("kubernetesVersion", cluster.kubernetes_version)
pulumi.export("nodes", cluster.nodes.apply(lambda nodes: {node["hostname"]: node["role"] for node in nodes}))
pulumi.export("kubeconfig", cluster.kubeconfig)
