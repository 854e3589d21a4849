"""A cluster that survives the loss of a machine: three control planes, and workers in two sets, by machine classes."""

import pulumi

from ksail_pulumi import ControlPlaneArgs, MachineClass, OmniCluster, WorkersArgs

workers = pulumi.Config().require_int("workers")

# Machines belong to a class by the labels that you gave them in Omni.
control_plane, general, storage = (
    MachineClass(name, match_labels=[f"pool = {name}"]) for name in ("control-plane", "general", "storage")
)

cluster = OmniCluster(
    "shop",
    # An odd number: etcd of three survives the loss of one, and so does etcd of four.
    control_plane=ControlPlaneArgs(machine_class={"name": control_plane.name, "size": 3}),
    workers=[
        WorkersArgs(
            machine_class={"name": general.name, "size": workers},
            update_strategy={"type": "Rolling", "rolling": {"max_parallelism": 2}},
        ),
        WorkersArgs(
            name="storage",
            machine_class={"name": storage.name, "size": 1},
            patches=[{"name": "labels", "inline": {"machine": {"nodeLabels": {"example.com/pool": "storage"}}}}],
        ),
    ],
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
