"""What of a cluster is in no input."""

from __future__ import annotations

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.observe import left_out, observe
from ksail_pulumi.plan.ownership import MachineConfigMark
from ksail_pulumi.plan.parts.kernel_args import kernel_args
from ksail_pulumi.plan.snapshot import Snapshot

from .builders import cluster_spec, desired, machine, machine_id, node


def test_nothing_is_left_out_of_what_inputs_made() -> None:
    resources = desired(cluster_spec(workers=1, patches=[{"name": "a", "inline": {"debug": True}}]))
    assert list(left_out(Snapshot(resources=resources))) == []


def test_the_install_disk_of_a_machine_that_omni_chose_is_left_out() -> None:
    """One of another cluster's machine is none of this cluster's business: these resources have no cluster label."""
    disk = specs_pb2.MachineInstallDiskConfigSpec(disk="/dev/sda")
    disks = [Resource(omni.MACHINE_INSTALL_DISK_CONFIG, machine_id(number), disk) for number in (1, 2, 3)]
    sets = [each for each in desired(cluster_spec(workers=1)) if each.type == omni.MACHINE_SET]
    nodes = [node(1, "prod-workers", by_class=True), node(2, "prod-control-planes")]
    assert list(left_out(Snapshot(resources=[*disks, *sets, *nodes], statuses=[machine(1)]))) == [
        f"install disk {machine_id(1)} is left out: Omni has chosen machine host-1 ({machine_id(1)}) for prod-workers "
        "by its machine class"
    ]


def test_what_a_machine_config_sets_is_left_out() -> None:
    mark = MachineConfigMark("acme/shop/dev/rack")
    args = kernel_args(mark, machine_id(1), ["quiet"])
    elsewhere = kernel_args(mark, machine_id(2), ["quiet"])
    sets = [each for each in desired(cluster_spec()) if each.type != omni.MACHINE_SET_NODE]
    resources = [args, elsewhere, node(1, "prod-control-planes"), *sets]
    assert list(left_out(Snapshot(resources=resources))) == [
        f"list of kernel arguments {machine_id(1)} is left out: the MachineConfig acme/shop/dev/rack sets it"
    ]
    assert observe(resources) == observe(resources[2:])


def test_a_manifest_with_an_id_of_its_own_is_left_out() -> None:
    labels = {omni.LABEL_CLUSTER: "prod"}
    group = Resource(omni.KUBERNETES_MANIFEST_GROUP, "mine", specs_pb2.KubernetesManifestGroupSpec(), labels)
    assert list(left_out(Snapshot(resources=[group]))) == ["manifest mine is left out: no input has this ID"]
