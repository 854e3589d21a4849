"""A cluster that comes with what is usually installed right after it, through Omni alone."""

import pulumi

from ksail_pulumi import AddonArgs, AddonsArgs, OmniCluster

cluster = OmniCluster(
    "shop",
    workers=1,
    addons=AddonsArgs(
        cni="cilium",  # chosen once: the network plugin of a cluster that runs stays
        metrics_server=True,
        cert_manager=AddonArgs(version="1.21.2"),  # a version of your own choice, changed in place
        policy_engine="kyverno",
        git_ops_engine="flux",
        csi="local-path",
    ),
)

pulumi.export("kubeconfig", cluster.kubeconfig)
pulumi.export("nodes", cluster.nodes)
