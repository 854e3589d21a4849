"""What is told before an apply: refusals, what will stall, what will happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ksail_pulumi.model.parse import ClusterSpec, OnUpdate
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2, system_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.findings import Findings, findings
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.snapshot import Snapshot

from .builders import CATALOG, MARK, cluster_spec, desired, machine, machine_id, node, pool

SPEC = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.35.7", workers=2)
RUNS = Versions("1.13.8", "1.35.7")


def omni_with(resources: list[Resource] | None = None, statuses: list[Resource] | None = None, **read: Any) -> Snapshot:
    """An Omni with nine machines; the nodes of the cluster hold theirs."""
    resources = resources or []
    nodes = [each for each in resources if each.type == omni.MACHINE_SET_NODE]
    held = {each.id for each in nodes}
    if statuses is None:
        statuses = [machine(n, cluster="prod" if machine_id(n) in held else "") for n in range(1, 10)]
    return Snapshot(
        resources=resources, statuses=statuses, nodes=[*nodes, *read.pop("others", ())], talos_versions=CATALOG, **read
    )


def running(spec: ClusterSpec = SPEC, versions: Versions = RUNS) -> list[Resource]:
    return [replace(each, version=1) for each in desired(spec, versions=versions)]


def judged(spec: ClusterSpec, snapshot: Snapshot, old: ClusterSpec | None = SPEC, **options: Any) -> Findings:
    return findings(spec, snapshot, mark=MARK, previous=old, **options)


def failures(found: Findings) -> dict[str, str]:
    return {problem.field: problem.reason for problem in found.failures}


def test_a_new_cluster_is_told_with_its_versions_and_machines() -> None:
    found = judged(cluster_spec(controlPlane={"count": 1}, workers=2), omni_with(), old=None)

    assert found == Findings(
        forecasts=(
            "Talos 1.13.8, Kubernetes 1.36.3",
            f"prod-control-planes gets host-1 ({machine_id(1)})",
            f"prod-workers gets host-2 ({machine_id(2)}), host-3 ({machine_id(3)})",
        )
    )


def test_nothing_is_told_where_nothing_changes() -> None:
    assert judged(SPEC, omni_with(running())) == Findings()


def test_nothing_is_concluded_from_what_was_not_read() -> None:
    assert judged(SPEC, Snapshot(), old=None) == Findings()


def test_a_takeover_is_told_with_whom_it_is_taken_from() -> None:
    by_hand = [replace(each, annotations={}) for each in running()]
    assert judged(SPEC, omni_with(by_hand), old=None, adopt=True) == Findings(
        forecasts=("cluster prod exists and is taken over",)
    )
    others = [replace(each, annotations=OwnershipMark("acme/other/dev/prod").annotations()) for each in running()]
    assert judged(SPEC, omni_with(others), old=None, adopt=True) == Findings(
        forecasts=("cluster prod exists and is taken over from acme/other/dev/prod",)
    )


def test_there_must_be_a_cluster_to_take_over() -> None:
    assert failures(judged(SPEC, omni_with(), old=None, adopt=True)) == {
        "name": "cannot import cluster 'prod': it does not exist in this Omni; remove `import_`"
    }
    assert judged(SPEC, Snapshot(), old=None, adopt=True) == Findings()


def test_a_cluster_that_is_being_deleted_is_waited_for() -> None:
    dying = [replace(each, phase=omni.TEARING_DOWN) if each.id == "prod" else each for each in running()]

    assert "cluster prod is still being deleted" in judged(SPEC, omni_with(dying), old=None).warnings


@pytest.mark.parametrize(
    ("inputs", "field", "reason"),
    [
        ({"talosVersion": "1.15.0"}, "talosVersion", 'talos version "1.15.0" is not supported by this Omni release'),
        (
            {"kubernetesVersion": "1.30.0"},
            "kubernetesVersion",
            'invalid kubernetes version "1.30.0": is not compatible',
        ),
        (
            {"kubernetesVersion": "1.34.8"},
            "kubernetesVersion",
            'kubernetes version is not supported for upgrade to "1.34.8" from "1.35.7"',
        ),
    ],
)
def test_versions_that_omni_refuses_are_failures(inputs: dict[str, Any], field: str, reason: str) -> None:
    spec = cluster_spec(**{"talosVersion": "1.13.8", "kubernetesVersion": "1.35.7", "workers": 2, **inputs})

    found = failures(judged(spec, omni_with(running())))

    assert found.keys() == {field}
    assert found[field].startswith(reason)


def test_kubernetes_goes_one_minor_version_up_at_a_time() -> None:
    runs = Versions("1.13.8", "1.34.8")
    spec = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.36.3", workers=2)

    found = failures(judged(spec, omni_with(running(versions=runs))))

    assert "one minor version at a time" in found["kubernetesVersion"]


def test_an_upgrade_may_be_taken_back() -> None:
    status = Resource(
        omni.KUBERNETES_UPGRADE_STATUS, "prod", specs_pb2.KubernetesUpgradeStatusSpec(last_upgrade_version="1.35.7")
    )
    snapshot = omni_with(running(versions=Versions("1.13.8", "1.36.3")), kubernetes_upgrade=status)

    assert failures(judged(SPEC, snapshot)) == {}


def test_talos_never_goes_below_the_version_that_the_cluster_began_with() -> None:
    began = Resource(omni.CLUSTER_CONFIG_VERSION, "prod", specs_pb2.ClusterConfigVersionSpec(version="v1.13.0"))
    spec = cluster_spec(talosVersion="1.12.11", workers=2)

    assert failures(judged(spec, omni_with(running(), config_version=began))) == {
        "talosVersion": 'downgrading from version "1.13.0" to "1.12.11" is not supported; the cluster was created '
        "with 1.13.0"
    }
    assert failures(judged(spec, omni_with(running()))) == {}


def test_version_changes_are_forecast_with_what_they_do() -> None:
    spec = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.36.3", workers=2)
    found = judged(spec, omni_with(running(versions=Versions("1.12.11", "1.35.7"))))

    assert found.forecasts == (
        "Talos 1.12.11 -> 1.13.8: every machine reboots, control plane first, one at a time",
        "Kubernetes 1.35.7 -> 1.36.3: component by component, without a reboot",
    )


def test_a_talos_upgrade_that_omni_does_not_list_is_told() -> None:
    spec = cluster_spec(talosVersion="1.12.11", workers=2)

    assert "Omni does not list Talos 1.12.11 as an upgrade from 1.13.8" in judged(spec, omni_with(running())).forecasts


def test_too_few_machines_is_a_warning_because_they_may_join_in_time() -> None:
    found = judged(SPEC, omni_with(statuses=pool(2)), old=None)

    assert failures(found) == {}
    assert found.warnings == (
        "not enough available machines in Omni for the requested node count: need 3, got 2; register more machines in "
        "Omni, or request fewer",
    )


def test_machines_that_leave_are_told_to_be_wiped() -> None:
    fewer = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.35.7", workers=1)
    none = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.35.7")

    assert judged(fewer, omni_with(running())).forecasts == (
        f"host-3 ({machine_id(3)}) will leave prod-workers and be wiped",
    )
    assert judged(none, omni_with(running())).forecasts == (
        f"host-2 ({machine_id(2)}), host-3 ({machine_id(3)}) will leave prod-workers and be wiped",
    )


def test_many_machines_are_counted() -> None:
    spec = cluster_spec(talosVersion="1.13.8", workers=12)
    found = judged(spec, omni_with(statuses=pool(13)), old=None)

    assert found.forecasts[-1].endswith(f"host-7 ({machine_id(7)}) and 2 more")


def test_patch_changes_are_told_with_their_scope() -> None:
    def spec(**patches: str) -> ClusterSpec:
        def of(scope: str) -> dict[str, Any]:
            return {"patches": [{"name": scope, "inline": patches[scope]}]} if scope in patches else {}

        return cluster_spec(
            talosVersion="1.13.8",
            kubernetesVersion="1.35.7",
            workers=[{"count": 2, **of("set")}],
            machines={machine_id(1): of("machine")},
            **of("cluster"),
        )

    old = spec(cluster="machine: {a: 1}", machine="machine: {a: 1}")
    found = judged(spec(cluster="machine: {a: 2}", set="machine: {a: 1}"), omni_with(running(old)), old=old)

    assert found.forecasts == (
        "adds patch 400-prod-workers-set to 2 machines of prod-workers; they reboot if Talos requires it",
        "changes patch 200-cluster-prod-cluster on all machines of the cluster; they reboot if Talos requires it",
        f"removes patch 400-cm-{machine_id(1)}-machine from host-1 ({machine_id(1)}); it reboots if Talos requires it",
    )


def test_a_locked_cluster_refuses_every_change() -> None:
    inputs: dict[str, Any] = {"talosVersion": "1.13.8", "kubernetesVersion": "1.35.7"}
    locked = [
        replace(each, annotations={**each.annotations, omni.ANNOTATION_CLUSTER_LOCKED: ""})
        if each.id == "prod"
        else each
        for each in running()
    ]
    refusal = {
        "": 'updating cluster configuration is not allowed: the cluster "prod" is locked; unlock it first, '
        "with locked: false"
    }
    patched = cluster_spec(**inputs, workers=2, patches=[{"name": "p", "inline": "machine: {a: 1}"}])

    assert failures(judged(SPEC, omni_with(locked))) == {}
    assert failures(judged(patched, omni_with(locked))) == refusal, "Omni would take it in and hold it back for ever"
    assert failures(judged(cluster_spec(**inputs, workers=3), omni_with(locked))) == refusal
    assert failures(judged(cluster_spec(**inputs, workers=3, locked=False), omni_with(locked))) == {}


def test_locked_machines_that_a_change_would_reach_are_told() -> None:
    told = "locked machines will not be updated until they are unlocked; `up` waits for: "
    inputs: dict[str, Any] = {"talosVersion": "1.13.8", "workers": [{"count": 2}]}
    resources = [
        replace(each, annotations={**each.annotations, omni.ANNOTATION_LOCKED: ""})
        if each.id == machine_id(2)
        else each
        for each in running()
    ]

    def lines(**changes: Any) -> list[str]:
        spec = cluster_spec(**{**inputs, "kubernetesVersion": "1.35.7", **changes})
        forecasts = judged(spec, omni_with(resources)).forecasts
        return [line.removeprefix(told) for line in forecasts if line.startswith(told)]

    patch = {"patches": [{"name": "p", "inline": "machine: {a: 1}"}]}
    locked = f"host-2 ({machine_id(2)})"
    assert lines(kubernetesVersion="1.36.3") == [locked]
    assert lines(workers=[{"count": 2, **patch}]) == [locked]
    assert lines(machines={machine_id(2): patch}) == [locked]
    assert lines(controlPlane={"count": 1, **patch}) == lines(machines={machine_id(3): patch}) == []
    assert lines(machines={machine_id(3): {**patch, "locked": True}}) == [], "it is locked when all has arrived"
    assert lines(machines={machine_id(2): {**patch, "locked": False}}) == []
    assert lines(machines={machine_id(2): {"kernelArgs": ["a"]}, machine_id(3): {"kernelArgs": ["a"]}}) == [locked]


def test_named_machines_are_checked_one_by_one() -> None:
    spec = cluster_spec(
        controlPlane={"machines": [machine_id(1)]},
        workers=[{"machines": [machine_id(number) for number in (2, 3, 4, 5)]}],
    )
    statuses = [
        machine(1),
        machine(2, cluster="staging"),
        machine(3, talos="1.14.0"),
        machine(4, without=["connected"]),
    ]
    found = judged(
        spec, omni_with(statuses=statuses, others=[node(2, "staging-workers", cluster="staging", mark=None)]), old=None
    )

    assert failures(found) == {
        "workers[0].machines[0]": f"machine host-2 ({machine_id(2)}) is in cluster 'staging', and can be in one "
        "cluster only",
        "workers[0].machines[1]": "the machine has a newer Talos version installed: downgrade is not allowed. Upgrade "
        "the machine or change the cluster Talos version",
    }
    assert found.warnings == (
        f"machine host-4 ({machine_id(4)}) is not connected: the cluster waits for it",
        f"machine {machine_id(5)} has not joined Omni yet: prod-workers waits for it",
    )


@pytest.mark.parametrize("control_plane", [{"count": 2}, {"machineClass": {"name": "large", "size": 2}}])
def test_an_even_control_plane_is_warned_of(control_plane: dict[str, Any]) -> None:
    spec = cluster_spec(controlPlane=control_plane)

    assert judged(spec, omni_with(machine_classes=[machine_class("large")]), old=None).warnings == (
        "2 control plane machines survive no more failures than 1: use an odd number",
    )


def machine_class(name: str, *, provision: bool = False) -> Resource:
    spec = specs_pb2.MachineClassSpec()
    if provision:
        spec.auto_provision.provider_id = "cloud"
    return Resource(omni.MACHINE_CLASS, name, spec)


def by_class(name: str, size: Any = 2) -> ClusterSpec:
    return cluster_spec(workers=[{"machineClass": {"name": name, "size": size}}])


def test_machine_classes_are_checked() -> None:
    classes = [machine_class("big"), machine_class("cloud", provision=True)]

    def found(spec: ClusterSpec, **read: Any) -> dict[str, str]:
        return failures(judged(spec, omni_with(machine_classes=classes, **read), old=None))

    assert found(by_class("big", "unlimited")) == {}
    assert found(by_class("small")) == {
        "workers[0].machineClass.name": 'machine class with name "small" doesn\'t exist; known are big, cloud'
    }
    assert found(by_class("cloud", "unlimited")) == {
        "workers[0].machineClass.size": 'machine class "cloud" is using autoprovision, so unlimited machine set '
        "allocation is not supported"
    }
    assert judged(by_class("big"), omni_with(machine_classes=classes), old=None).forecasts[-1] == (
        "prod-workers has 2 machines of class big, chosen by Omni"
    )


def test_a_set_of_a_class_without_machines_cannot_be_switched_because_omni_could_not_delete_it_then() -> None:
    to_manual = judged(SPEC, omni_with(running(by_class("big"), RUNS)))
    assert failures(to_manual)["workers[0]"] == (
        "machine set uses a machine class, and Omni could not delete it after the change: add another set, and remove "
        "this one; for the control plane, replace the cluster"
    )


def test_a_set_with_machines_cannot_be_switched_to_a_class_or_back() -> None:
    to_class = judged(by_class("big"), omni_with(running(), machine_classes=[machine_class("big")]))
    nodes = [node(2, "prod-workers", by_class=True)]
    to_manual = judged(SPEC, omni_with([*running(by_class("big"), RUNS), *nodes]))

    assert failures(to_class)["workers[0]"].startswith(
        "machine set is not empty and is using manual nodes management, updating to machine class mode is not allowed"
    )
    assert failures(to_manual)["workers[0]"].startswith(
        "machine set is not empty and is using machine class nodes management, updating to manual mode is not allowed"
    )


def test_disk_encryption_stays_what_the_cluster_began_with() -> None:
    encrypted = cluster_spec(talosVersion="1.13.8", workers=2, features={"diskEncryption": True})

    turned_on = judged(encrypted, omni_with(running()))
    turned_off = judged(SPEC, omni_with(running(encrypted)), old=encrypted)

    assert failures(turned_on)["features.diskEncryption"].startswith(
        "updating disk encryption settings is not allowed: this cluster was created with diskEncryption: false"
    )
    assert failures(turned_off)["features.diskEncryption"].startswith(
        "updating disk encryption settings is not allowed: this cluster was created with diskEncryption: true"
    )
    assert judged(encrypted, omni_with(running(encrypted)), old=encrypted) == Findings()


def test_a_machine_that_omni_chose_for_a_class_cannot_be_named_in_another_set() -> None:
    chosen = node(3, "prod-workers", by_class=True)
    spec = cluster_spec(
        workers=[{"machineClass": {"name": "big", "size": 1}}, {"name": "b", "machines": [machine_id(3)]}]
    )

    found = judged(spec, omni_with([*running(by_class("big"), RUNS), chosen]), old=by_class("big"))

    assert failures(found) == {
        "workers[1].machines[0]": f"machine host-3 ({machine_id(3)}) is in prod-workers, for which Omni chooses "
        "machines of a class"
    }


def features_config(*, embedded: bool = True) -> Resource:
    spec = specs_pb2.FeaturesConfigSpec(embedded_discovery_service=embedded)
    spec.etcd_backup_settings.min_interval.seconds = 3600
    spec.etcd_backup_settings.max_interval.seconds = 86400
    return Resource(omni.FEATURES_CONFIG, "features-config", spec)


def sys_version(api: int) -> Resource:
    spec = system_pb2.SysVersionSpec(backend_version="v1.10.4", backend_api_version=api)
    return Resource(omni.SYS_VERSION, "current", spec)


@pytest.mark.parametrize(
    ("inputs", "field", "reason"),
    [
        (
            {"backup": {"interval": "30m"}},
            "backup.interval",
            "backup interval must be greater than 1h0m0s, actual 30m0s",
        ),
        (
            {"backup": {"interval": "25h"}},
            "backup.interval",
            "backup interval must be less than 24h0m0s, actual 25h0m0s",
        ),
        (
            {"features": {"useEmbeddedDiscoveryService": True}},
            "features.useEmbeddedDiscoveryService",
            "embedded discovery service is not enabled",
        ),
        (
            {"features": {"disablePublicDiscoveryService": True}},
            "features.disablePublicDiscoveryService",
            "the public discovery service can only be configured for clusters created with Talos 1.14 or newer",
        ),
        (
            {"features": {"disablePublicDiscoveryService": True}, "talosVersion": "1.14.0-beta.0"},
            "features.disablePublicDiscoveryService",
            "the discovery service cannot be disabled entirely: use the embedded one instead",
        ),
    ],
)
def test_features_are_checked_against_what_this_omni_offers(inputs: dict[str, Any], field: str, reason: str) -> None:
    found = judged(cluster_spec(**inputs), omni_with(features=features_config(embedded=False)), old=None)

    assert failures(found) == {field: reason}


@pytest.mark.parametrize("interval", ["1h", "24h", "90m"])
def test_backup_intervals_within_the_limits_are_fine(interval: str) -> None:
    spec = cluster_spec(backup={"interval": interval})

    assert failures(judged(spec, omni_with(features=features_config()), old=None)) == {}


def test_extensions_must_exist_for_the_talos_version() -> None:
    item = specs_pb2.TalosExtensionsSpec.Info(name="siderolabs/gvisor")
    catalog = Resource(omni.TALOS_EXTENSIONS, "1.13.8", specs_pb2.TalosExtensionsSpec(items=[item]))
    spec = cluster_spec(systemExtensions=["gvisor"], workers=[{"count": 1, "systemExtensions": ["gvisor", "nope"]}])

    assert failures(judged(spec, omni_with(talos_extensions=[catalog]), old=None)) == {
        "workers[0].systemExtensions[1]": 'extension "nope" (entry 1) is not available for Talos version "1.13.8"'
    }
    assert failures(judged(spec, omni_with(), old=None)) == {}, "a catalog that was not read judges nothing"


def test_install_disks_depend_on_the_api_version() -> None:
    selected = cluster_spec(machines={machine_id(1): {"install": {"diskSelector": "disk.size > 1u"}}})
    patched = cluster_spec(patches=[{"name": "p", "inline": {"machine": {"install": {"disk": "/dev/vda"}}}}])

    assert failures(judged(selected, omni_with(sys_version=sys_version(2)), old=None)) == {
        f"machines.{machine_id(1)}.install.diskSelector": "this Omni (v1.10.4) does not support disk selectors, "
        "which need API version 3: name the disk with install.disk"
    }
    assert failures(judged(selected, omni_with(sys_version=sys_version(3)), old=None)) == {}
    assert failures(judged(patched, omni_with(sys_version=sys_version(2)), old=None)) == {}
    assert failures(judged(patched, omni_with(sys_version=sys_version(3)), old=None)) == {
        "patches[0].inline": 'overriding "machine.install.disk" is not allowed in the config patch: use '
        "machines.<id>.install"
    }


BACKUP = {"clusterUUID": "bb874758-ee54-4d3b-bac3-4c8349737298", "snapshot": "a.snapshot"}


def test_what_a_cluster_was_restored_from_is_fixed_until_it_is_bootstrapped() -> None:
    restored = cluster_spec(controlPlane={"count": 1, "bootstrapSpec": BACKUP})
    plain = cluster_spec(controlPlane={"count": 1})
    done = Resource(omni.CLUSTER_BOOTSTRAP_STATUS, "prod", specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=True))

    def found(spec: ClusterSpec, old: ClusterSpec, **read: Any) -> dict[str, str]:
        return failures(judged(spec, omni_with(running(old), **read), old=old))

    assert found(plain, restored) == {
        "controlPlane.bootstrapSpec": "bootstrap spec can only be removed after the cluster is bootstrapped"
    }
    assert found(restored, plain) == {"controlPlane.bootstrapSpec": "bootstrap spec is immutable after creation"}
    assert found(restored, restored) == {}
    assert found(plain, restored, bootstrap_status=done) == found(restored, plain, bootstrap_status=done) == {}


def test_a_control_plane_machine_cannot_be_locked_however_it_was_chosen() -> None:
    spec = cluster_spec(workers=1, machines={machine_id(1): {"locked": True}, machine_id(2): {"locked": True}})

    assert failures(judged(spec, omni_with(), old=None)) == {
        f"machines.{machine_id(1)}.locked": "locking controlplanes is not allowed"
    }


def test_a_locked_machine_has_to_be_unlocked_before_it_is_taken_out() -> None:
    before = cluster_spec(workers=[{"machines": [machine_id(2)]}], machines={machine_id(2): {"locked": True}})
    after = cluster_spec(workers=[{"machines": []}])

    assert failures(judged(after, omni_with(running(before)), old=before)) == {
        "workers[0].machines": 'removing machine set node from the machine set "prod-workers" is not allowed: '
        f"host-2 ({machine_id(2)}) is locked; unlock it first"
    }


def test_a_cluster_that_is_unlocked_may_be_changed_at_once() -> None:
    before = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.35.7", workers=2, locked=True)
    after = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.35.7", workers=3, locked=False)

    assert failures(judged(after, omni_with(running(before)), old=before)) == {}


def test_a_described_machine_that_is_in_no_set_is_warned_of() -> None:
    spec = cluster_spec(machines={machine_id(8): {"labels": {"a": "b"}}})

    assert judged(spec, omni_with(), old=None).warnings == (
        f"machine host-8 ({machine_id(8)}) is described but not used in controlplane or workers",
    )


def test_exclusive_ownership_tells_what_of_others_goes() -> None:
    spec_patch = specs_pb2.ConfigPatchSpec(data="machine: {}\n")
    foreign = Resource(omni.CONFIG_PATCH, "by-hand", spec_patch, {omni.LABEL_CLUSTER: "prod"})
    inputs = {"talosVersion": "1.13.8", "kubernetesVersion": "1.35.7", "workers": 2}
    snapshot = omni_with([*running(), foreign])

    assert judged(SPEC, snapshot).forecasts == ()
    assert judged(cluster_spec(**inputs, ownership="exclusive"), snapshot).forecasts == (
        "removes patch by-hand from all machines of the cluster; they reboot if Talos requires it",
        "ConfigPatches.omni.sidero.dev(default/by-hand) was created by someone else and will be deleted (ownership: "
        "exclusive)",
    )


def test_what_changes_around_the_machines_is_told() -> None:
    inputs: dict[str, Any] = {"talosVersion": "1.13.8", "kubernetesVersion": "1.35.7", "workers": 2}
    found = judged(
        cluster_spec(
            **inputs,
            systemExtensions=["siderolabs/gvisor"],
            kernelArgs=["a=b"],
            manifests=[{"name": "m", "mode": "full", "inline": []}],
            healthChecks=[{"name": "h", "job": {"kind": "Job"}}],
        ),
        omni_with(running()),
    )

    assert found.forecasts[:3] == (
        "adds system extensions schematic-prod to all machines of the cluster; they reboot one at a time",
        "adds manifest 200-cluster-prod-m",
        "adds health check cluster-prod-h",
    )
    assert found.forecasts[3] == f"adds the kernel arguments of host-1 ({machine_id(1)}); it reboots"


def test_omnis_own_labels_count_among_those_that_a_resource_may_have() -> None:
    asked = cluster_spec(controlPlane={"labels": {f"l{number}": "" for number in range(255)}})
    assert failures(judged(asked, omni_with(), None)) == {
        "": "MachineSets.omni.sidero.dev prod-control-planes: too many labels: 257 (max 256)"
    }


def test_an_upgrade_that_is_too_large_names_the_versions_in_between() -> None:
    spec = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.36.3", workers=2)
    found = failures(judged(spec, omni_with(running(versions=Versions("1.13.8", "1.33.1")))))
    assert found["kubernetesVersion"].endswith("and never downgrade; first upgrade to 1.34.8, then 1.35.7")
    back = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.34.8", workers=2)
    found = failures(judged(back, omni_with(running(versions=Versions("1.13.8", "1.36.3")))))
    assert found["kubernetesVersion"].endswith("and never downgrade")


def etcd_lines(found: Findings) -> list[str]:
    return [line for line in found.forecasts if line.startswith("etcd ")]


def control_plane(*numbers: int) -> ClusterSpec:
    return cluster_spec(
        talosVersion="1.13.8",
        kubernetesVersion="1.36.3",
        controlPlane={"machines": [machine_id(number) for number in numbers]},
    )


def name(number: int) -> str:
    return f"host-{number} ({machine_id(number)})"


def changed(before: ClusterSpec, after: ClusterSpec, dead: tuple[int, ...] = ()) -> list[str]:
    statuses = [
        machine(number, cluster="prod", without=("connected",) if number in dead else ()) for number in range(1, 4)
    ] + [machine(number) for number in range(4, 7)]
    waiting = after.model_copy(update={"on_update": OnUpdate(disconnected_machines="wait")})
    return etcd_lines(judged(waiting, omni_with(running(before), statuses), before))


def test_what_etcd_survives_is_said_at_each_step_down() -> None:
    assert changed(control_plane(1, 2, 3), control_plane(1)) == [
        f"etcd after {name(2)} has left: 2 members, survives the loss of none",
        f"etcd after {name(3)} has left: 1 member, survives the loss of none",
    ]


def test_what_etcd_survives_is_said_at_each_step_up() -> None:
    assert changed(control_plane(1, 2, 3), control_plane(1, 2, 3, 4, 5)) == [
        f"etcd after {name(4)} has joined: 4 members, survives the loss of 1",
        f"etcd after {name(5)} has joined: 5 members, survives the loss of 2",
    ]


def test_a_dead_member_that_is_replaced_counts_until_it_has_left() -> None:
    assert changed(control_plane(1, 2, 3), control_plane(1, 2, 4), dead=(3,)) == [
        f"etcd after {name(4)} has joined: 4 members, survives the loss of none",
        f"etcd after {name(3)} has left: 3 members, survives the loss of 1",
    ]


def test_etcd_without_quorum_is_said_to_have_none() -> None:
    (first, _) = changed(control_plane(1, 2, 3), control_plane(1, 4, 3), dead=(2, 3))
    assert first == (
        f"etcd after {name(4)} has joined: 4 members, 2 not connected: it has no quorum, and the cluster does not work"
    )


def test_nothing_is_said_of_etcd_where_it_stays() -> None:
    assert changed(control_plane(1, 2, 3), control_plane(3, 1, 2)) == []


def patch_of(name: str, inline: Any) -> dict[str, Any]:
    return {"name": name, "inline": inline}


def repeats(**inputs: Any) -> list[str]:
    found = judged(cluster_spec(**inputs), omni_with(), None)
    assert not found.failures
    return [line for line in found.warnings if "repeats values" in line]


def test_a_patch_that_repeats_what_another_one_of_the_machine_adds_is_warned_of() -> None:
    servers = patch_of("a", {"machine": {"time": {"servers": ["a", "b"]}}})
    more = patch_of("b", "machine:\n  time:\n    servers: [b, c]\n")
    assert repeats(patches=[servers], controlPlane={"patches": [more]}) == [
        "patch 400-prod-control-planes-b repeats values of machine.time.servers that patch 200-cluster-prod-a adds: "
        "Talos appends lists, so the machines get them twice"
    ]
    assert len(repeats(patches=[servers, more])) == 1
    one = {"controlPlane": {"machines": [machine_id(1)], "patches": [servers]}}
    assert len(repeats(**one, machines={machine_id(1): {"patches": [more]}})) == 1


@pytest.mark.parametrize(
    "inline",
    [
        {"cluster": {"network": {"podSubnets": ["10.0.0.0/8"]}}},
        {"machine": {"network": {"interfaces": [{"interface": "eth0", "dhcp": True}]}}},
        {"machine": {"sysctls": {"a": "b"}}},
        {"machine": {"kubelet": {"extraConfig": {"a": ["b"]}}}},
    ],
)
def test_what_talos_replaces_or_merges_is_not_warned_of(inline: Any) -> None:
    assert repeats(patches=[patch_of("a", inline), patch_of("b", inline)]) == []


def test_patches_of_different_machines_or_documents_repeat_nothing() -> None:
    servers = [patch_of("a", {"machine": {"time": {"servers": ["a"]}}})]
    assert repeats(controlPlane={"patches": servers}, workers=[{"patches": servers}]) == []
    service = {"apiVersion": "v1alpha1", "kind": "ExtensionServiceConfig", "environment": ["A=b"]}
    named = [patch_of(name, {**service, "name": name}) for name in ("a", "b")]
    assert repeats(patches=named) == []
    twice = [patch_of(name, {**service, "name": "a"}) for name in ("a", "b")]
    (line,) = repeats(patches=twice)
    assert "repeats values of environment that patch" in line
