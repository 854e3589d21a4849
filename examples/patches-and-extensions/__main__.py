"""What configures machines: patches, system extensions and kernel arguments, for the cluster and for its sets."""

import pulumi

from ksail_pulumi import ControlPlaneArgs, OmniCluster, OmniClusterArgs, PatchArgs, WorkersArgs

KUBELET_ARGUMENTS = """\
# YAML text goes to Omni as it is written, comments included.
machine:
  kubelet:
    extraArgs:
      max-pods: "200"
"""

cluster = OmniCluster(
    "platform",
    OmniClusterArgs(
        labels={"team": "platform"},
        patches=[
            PatchArgs(file="talos/registry-mirrors.yaml", description="pull through the mirror in the house"),
            PatchArgs(
                name="time-and-logs",
                inline=[  # several documents
                    {"machine": {"time": {"servers": ["time.cloudflare.com"]}}},
                    {"apiVersion": "v1alpha1", "kind": "KmsgLogConfig", "name": "logs", "url": "tcp://10.0.0.9:3001"},
                ],
            ),
        ],
        control_plane=ControlPlaneArgs(count=1, patches=[PatchArgs(name="kubelet", inline=KUBELET_ARGUMENTS)]),
        workers=[
            WorkersArgs(count=1, system_extensions=["siderolabs/iscsi-tools"]),
            WorkersArgs(
                name="batch",
                count=1,
                system_extensions=["siderolabs/gvisor"],
                kernel_args=["mitigations=off"],
                patches=[PatchArgs(name="labels", inline={"machine": {"nodeLabels": {"example.com/pool": "batch"}}})],
            ),
        ],
    ),
)

pulumi.export("nodes", cluster.nodes)
