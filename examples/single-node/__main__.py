"""One machine that is control plane and worker at the same time, as for a home lab or an edge site."""

import pulumi

from ksail_pulumi import OmniCluster

cluster = OmniCluster(
    "edge",
    control_plane={"count": 1},
    patches=[{"name": "allow-scheduling", "inline": {"cluster": {"allowSchedulingOnControlPlanes": True}}}],
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
