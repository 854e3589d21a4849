"""Backups of etcd: at an interval, before upgrades, for each release; and a second cluster that starts from one."""

import pulumi

from ksail_pulumi import ControlPlaneArgs, EtcdBackup, OmniCluster

config = pulumi.Config()

shop = OmniCluster(
    "shop",
    workers=1,
    backup={"interval": "6h"},
    backup_before=["upgrade", "delete"],
)

# A new value of `release` takes another backup.
backup = EtcdBackup("before-release", cluster=shop.name, triggers=[config.require("release")])

if config.require_bool("restore"):
    copy = OmniCluster(
        "shop-copy",
        control_plane=ControlPlaneArgs(
            count=1, bootstrap_spec={"cluster_uuid": backup.cluster_uuid, "snapshot": backup.snapshot}
        ),
        workers=1,
    )
    pulumi.export("copy", copy.nodes)

pulumi.export("nodes", shop.nodes)
pulumi.export("snapshot", backup.snapshot)
