"""The smallest cluster: one machine that is control plane and worker at the same time."""

import pulumi

from ksail_pulumi import OmniCluster

cluster = OmniCluster(
    "first",
    control_plane=1,
    patches=[{"name": "allow-scheduling", "inline": {"cluster": {"allowSchedulingOnControlPlanes": True}}}],
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
