"""Rules of Omni that its recorded refusals do not reach, each on the lab of the recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CLUSTER_CONFIG_VERSION,
    CONFIG_PATCH,
    ETCD_BACKUP,
    FEATURES_CONFIG,
    KUBERNETES_MANIFEST_GROUP,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_CLUSTER,
    LABEL_CONTROL_PLANE,
    LABEL_INSTALLED,
    LABEL_MACHINE_SET,
    LABEL_TALOS_VERSION,
    LABEL_WORKER,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    TALOS_VERSION,
    Resource,
    ResourceType,
)
from ksail_pulumi.simulator import validations
from ksail_pulumi.simulator.access import IMPORTED_CLUSTER_SECRETS
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import Store, StoreError
from ksail_pulumi.simulator.validations import Context

Faults = Callable[..., list[str]]


@pytest.fixture
def store(still: Simulator, lab: Any) -> Store:
    return still.store


@pytest.fixture
def faults(store: Store) -> Faults:
    """The faults of a create (one resource), an update (two), or a destroy."""
    context = Context(store, lambda: datetime.now(UTC))

    def faults(*resources: Resource, destroy: bool = False) -> list[str]:
        check = validations.check_destroy if destroy else None
        check = check or (validations.check_create if len(resources) == 1 else validations.check_update)
        try:
            check(context, *resources)  # type: ignore[operator]
        except StoreError as error:
            if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            return [line.removeprefix("\t* ") for line in error.text.splitlines() if line.startswith("\t* ")]
        return []

    return faults


def cluster(name: str = "new", talos: str = "1.13.8", kubernetes: str = "1.36.3", **features: bool) -> Resource:
    features_spec = specs_pb2.ClusterSpec.Features(**features)
    spec = specs_pb2.ClusterSpec(talos_version=talos, kubernetes_version=kubernetes, features=features_spec)
    return Resource(CLUSTER, name, spec)


def machine_set(name: str, cluster_name: str, role: str = LABEL_WORKER, **spec: Any) -> Resource:
    labels = {LABEL_CLUSTER: cluster_name, role: ""}
    return Resource(MACHINE_SET, name, specs_pb2.MachineSetSpec(**spec), labels)


def node(machine: str, set_id: str, cluster_name: str = "rf1") -> Resource:
    labels = {LABEL_CLUSTER: cluster_name, LABEL_MACHINE_SET: set_id, LABEL_WORKER: ""}
    return Resource(MACHINE_SET_NODE, machine, specs_pb2.MachineSetNodeSpec(), labels)


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("deprecated", 'talos version "1.13.8" is no longer supported'),
        ("unsupported", 'talos version "1.13.8" is not supported by this Omni release'),
    ],
)
def test_a_talos_version_can_be_given_up(store: Store, faults: Faults, field: str, fault: str) -> None:
    def mark(found: Resource) -> Resource:
        spec = specs_pb2.TalosVersionSpec()
        spec.CopyFrom(found.spec)
        setattr(spec, field, True)
        return replace(found, spec=spec)

    store.edit(TALOS_VERSION, "1.13.8", mark)
    assert faults(cluster()) == [fault]
    running = cluster("rf1")
    assert faults(running, cluster("rf1", kubernetes="1.36.2")) == []


def test_public_discovery_can_be_off_from_talos_1_14_with_the_embedded_one_on(store: Store, faults: Faults) -> None:
    spec = specs_pb2.TalosVersionSpec(version="1.14.0", compatible_kubernetes_versions=["1.36.3"])
    store.put(Resource(TALOS_VERSION, "1.14.0", spec, owner="VersionsController"))
    newer = {"talos": "1.14.0", "disable_public_discovery_service": True}
    assert faults(cluster(**newer, use_embedded_discovery_service=True)) == []  # type: ignore[arg-type]
    (fault,) = faults(cluster(**newer))  # type: ignore[arg-type]
    assert fault.startswith("the discovery service cannot be disabled entirely")


def test_what_counts_for_public_discovery_is_the_first_talos_version(store: Store, faults: Faults) -> None:
    before = cluster("rf1")
    after = cluster("rf1", disable_public_discovery_service=True)
    (fault,) = faults(before, after)
    assert "clusters created with Talos 1.14 or newer" in fault


def test_embedded_discovery_can_be_off_on_the_server(store: Store, faults: Faults) -> None:
    off = specs_pb2.FeaturesConfigSpec(embedded_discovery_service=False)
    store.edit(FEATURES_CONFIG, "features-config", lambda found: replace(found, spec=off))
    assert faults(cluster(use_embedded_discovery_service=True)) == ["embedded discovery service is not enabled"]


def test_kubernetes_upgrades_can_be_given_up_across_a_minor(store: Store, faults: Faults) -> None:
    store.put(
        Resource(
            KUBERNETES_UPGRADE_STATUS,
            "rf1",
            specs_pb2.KubernetesUpgradeStatusSpec(last_upgrade_version="1.35.7"),
            owner="c",
        )
    )
    upgrading = cluster("rf1", kubernetes="1.36.3")
    assert faults(upgrading, cluster("rf1", kubernetes="1.35.7")) == []
    (fault,) = faults(upgrading, cluster("rf1", kubernetes="1.35.6"))
    assert fault == 'kubernetes version is not supported for upgrade to "1.35.6" from "1.36.3"'


def test_a_cluster_without_a_first_version_may_go_anywhere(store: Store, faults: Faults) -> None:
    store.destroy(CLUSTER_CONFIG_VERSION, "rf1", owner="c")
    assert faults(cluster("rf1", kubernetes="1.35.7"), cluster("rf1", talos="1.12.11", kubernetes="1.35.7")) == []


def test_children_of_a_dying_cluster_are_refused(store: Store, faults: Faults) -> None:
    store.edit(CLUSTER, "rf1", lambda found: replace(found, phase="tearingDown"))
    assert faults(machine_set("rf1-x", "rf1")) == ['the cluster "rf1" is tearing down']
    patch = Resource(CONFIG_PATCH, "p", specs_pb2.ConfigPatchSpec(data="debug: true\n"), {LABEL_CLUSTER: "rf1"})
    assert faults(patch) == ['cluster "rf1" is tearing down']
    prefix = 'adding machine set node to the machine set "rf1-workers" is not allowed: '
    assert faults(node("m2", "rf1-workers")) == [f'{prefix}the cluster "rf1" is tearing down']
    store.edit(MACHINE_SET, "rf1-workers", lambda found: replace(found, phase="tearingDown"))
    assert faults(node("m2", "rf1-workers")) == [f"{prefix}the machine set is tearing down"]
    of_set = Resource(CONFIG_PATCH, "p", patch.spec, {LABEL_MACHINE_SET: "rf1-workers"})
    assert faults(of_set) == ['machine set "rf1-workers" is tearing down']


def test_worker_sets_cannot_take_the_name_of_the_control_plane(faults: Faults) -> None:
    assert faults(machine_set("rf2-control-planes", "rf2")) == [
        'worker machine set must not have ID "rf2-control-planes"'
    ]


def allocation(name: str, **fields: Any) -> specs_pb2.MachineSetSpec.MachineAllocation:
    return specs_pb2.MachineSetSpec.MachineAllocation(name=name, **fields)


def test_an_unlimited_set_needs_a_class_of_machines_that_exist(store: Store, faults: Faults) -> None:
    provision = specs_pb2.MachineClassSpec.Provision(provider_id="p")
    store.put(Resource(MACHINE_CLASS, "made", specs_pb2.MachineClassSpec(auto_provision=provision)))
    unlimited = specs_pb2.MachineSetSpec.MachineAllocation.Unlimited
    wanted = machine_set("rf1-x", "rf1", machine_allocation=allocation("made", allocation_type=unlimited))
    assert faults(wanted) == [
        'machine class "made" is using autoprovision, so unlimited machine set allocation is not supported'
    ]


def test_a_set_with_machines_keeps_how_it_gets_them(store: Store, faults: Faults) -> None:
    of_class = machine_set("rf1-workers", "rf1", machine_allocation=allocation("rf-mc", machine_count=1))
    assert faults(of_class, machine_set("rf1-workers", "rf1")) == [
        "machine set is not empty and is using machine class based node management, "
        "updating to manual mode is not allowed"
    ]
    store.put(of_class)
    assert faults(node("m2", "rf1-workers")) == [
        'adding machine set node to the machine set "rf1-workers" is not allowed: '
        "the machine set is using automated machine allocation"
    ]
    in_use = store.find(MACHINE_CLASS, "rf-mc")
    assert in_use is not None
    assert faults(in_use, destroy=True) == [
        "can not delete the machine class as it is still in use by machine sets: rf1-workers"
    ]


def test_a_cluster_can_be_restored_from_a_backup_that_exists(store: Store, faults: Faults) -> None:
    bootstrap = specs_pb2.MachineSetSpec.BootstrapSpec(
        cluster_uuid="fc3ab041-b8ae-4bd8-943b-0fdffcec4f1a", snapshot="FF.snapshot"
    )
    wanted = machine_set("rf2-control-planes", "rf2", LABEL_CONTROL_PLANE, bootstrap_spec=bootstrap)
    (fault,) = faults(wanted)
    assert fault.startswith("failed to get backup")
    backup = specs_pb2.EtcdBackupSpec(snapshot="FF.snapshot")
    store.put(Resource(ETCD_BACKUP, "rf1-1", backup, {LABEL_CLUSTER: "rf1"}, owner="c"))
    assert faults(wanted) == []


def test_the_wish_to_restore_goes_only_after_the_bootstrap(store: Store, faults: Faults) -> None:
    bootstrap = specs_pb2.MachineSetSpec.BootstrapSpec(cluster_uuid="a", snapshot="b")
    fresh = machine_set("rf2-control-planes", "rf2", LABEL_CONTROL_PLANE, bootstrap_spec=bootstrap)
    assert faults(fresh, machine_set("rf2-control-planes", "rf2", LABEL_CONTROL_PLANE)) == [
        "bootstrap spec can only be removed after the cluster is bootstrapped"
    ]
    done = machine_set("rf1-control-planes", "rf1", LABEL_CONTROL_PLANE, bootstrap_spec=bootstrap)
    assert faults(done, machine_set("rf1-control-planes", "rf1", LABEL_CONTROL_PLANE)) == []


NEWER = (
    "the machine has a newer Talos version installed: downgrade is not allowed. "
    "Upgrade the machine or change the cluster Talos version"
)
ISO = (
    "the machine running from ISO or PXE must have the same major and minor version as the cluster it is "
    "going to be added to. Please use another ISO or change the cluster Talos version"
)


@pytest.mark.parametrize(
    ("machine", "installed", "cluster_name", "fault"),
    [
        ("v1.13.8", True, "rf1", ""),
        ("v1.12.11", True, "rf1", ""),
        ("v1.12.11", False, "rf1", ISO),
        ("v1.13.6", False, "rf1", ""),
        ("v1.13.6", False, "rf2", NEWER),
        ("v1.12.10", False, "rf2", ""),
        ("", True, "rf1", "the machine has no Talos version label"),
    ],
)
def test_a_machine_must_fit_the_cluster(
    store: Store, faults: Faults, lab: Any, machine: str, installed: bool, cluster_name: str, fault: str
) -> None:
    lab.machine_set("rf2-workers")
    labels = ({LABEL_TALOS_VERSION: machine} if machine else {}) | ({LABEL_INSTALLED: ""} if installed else {})
    store.put(Resource(MACHINE_STATUS, "m5", specs_pb2.MachineStatusSpec(), labels, owner="c"))
    assert faults(node("m5", f"{cluster_name}-workers", cluster_name)) == ([fault] if fault else [])


def test_labels_and_annotations_are_counted(faults: Faults) -> None:
    many = replace(node("m2", "rf1-workers"), annotations={f"a{number}": "" for number in range(257)})
    assert faults(many) == ["too many annotations: 257 (max 256)"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (KUBERNETES_MANIFEST_GROUP, specs_pb2.KubernetesManifestGroupSpec(data="[" * 200_000, mode=1)),
        (IMPORTED_CLUSTER_SECRETS, specs_pb2.ImportedClusterSecretsSpec(data="[" * 200_000)),
    ],
)
def test_text_that_is_nested_without_end_is_refused(faults: Faults, kind: ResourceType, spec: Any) -> None:
    (fault,) = faults(Resource(kind, "new", spec, {LABEL_CLUSTER: "rf1"}))
    assert "exceeded max depth" in fault
