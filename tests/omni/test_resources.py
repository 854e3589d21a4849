from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ksail_pulumi.omni.api import resource_pb2, specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER,
    CONFIG_PATCH,
    LABEL_CLUSTER,
    MACHINE_SET,
    SYS_VERSION,
    TEARING_DOWN,
    TYPES,
    Resource,
    enum_name,
    from_wire,
    to_wire,
    with_known_fields,
)

UNKNOWN = b"\xfa\x3f\x03new"
FULL = Resource(
    CLUSTER,
    "prod",
    specs_pb2.ClusterSpec(talos_version="1.13.8", features=specs_pb2.ClusterSpec.Features(disk_encryption=True)),
    labels={"team": "x"},
    annotations={"note": "y"},
    version=7,
    phase=TEARING_DOWN,
    owner="Controller",
    finalizers=("a", "b"),
    created=datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC),
    updated=datetime(2026, 11, 24, 1, 2, 4, tzinfo=UTC),
)


def test_a_resource_survives_the_wire():
    assert from_wire(to_wire(FULL)) == FULL


def test_a_resource_that_was_never_written_has_no_version_on_the_wire():
    assert to_wire(replace(FULL, version=0)).metadata.version == "undefined"
    assert from_wire(to_wire(replace(FULL, version=0))).version == 0


def test_a_resource_is_named_as_omni_names_it():
    assert str(FULL) == "Clusters.omni.sidero.dev(default/prod)"
    assert str(replace(FULL, type=SYS_VERSION)) == "SysVersions.system.sidero.dev(ephemeral/prod)"


def test_a_resource_knows_its_cluster_by_the_label():
    assert replace(FULL, labels={LABEL_CLUSTER: "prod"}).cluster == "prod"
    assert FULL.cluster == ""


def test_every_type_has_the_name_of_its_domain_and_is_found_by_it():
    assert len(TYPES) > 30
    for name, kind in TYPES.items():
        assert name == kind.name
        assert name.endswith((".omni.sidero.dev", ".system.sidero.dev"))
        kind.spec()


def test_a_compressed_patch_is_read_from_its_other_form():
    text = "machine:\n  network: {}\n" * 200
    wire = to_wire(Resource(CONFIG_PATCH, "p", specs_pb2.ConfigPatchSpec(compressed_data=b"\x28\xb5")))
    wire.spec.yaml_spec = "data: |\n" + "".join(f"    {line}\n" for line in text.splitlines()) + "compresseddata: []\n"
    patch = from_wire(wire)
    assert patch.spec.data == text
    assert not patch.spec.compressed_data


def test_a_resource_in_another_namespace_keeps_it():
    wire = to_wire(FULL)
    wire.metadata.namespace = "elsewhere"
    assert from_wire(wire).type.namespace == "elsewhere"


def test_an_unknown_type_is_an_error():
    with pytest.raises(KeyError):
        from_wire(resource_pb2.Resource(metadata=resource_pb2.Metadata(type="Nopes.omni.sidero.dev")))


def parsed(message: type, *parts: bytes) -> object:
    spec = message()
    spec.MergeFromString(b"".join(parts))
    return spec


def test_known_fields_are_set_cleared_and_kept_as_desired_and_unknown_ones_stay():
    actual = specs_pb2.ClusterSpec(
        talos_version="1.13.7",
        kubernetes_version="1.36.2",
        features=parsed(
            specs_pb2.ClusterSpec.Features,
            specs_pb2.ClusterSpec.Features(enable_workload_proxy=True).SerializeToString(),
            UNKNOWN,
        ),
        backup_configuration=specs_pb2.EtcdBackupConf(enabled=True),
    )
    actual.MergeFromString(UNKNOWN)
    desired = specs_pb2.ClusterSpec(
        talos_version="1.13.8", features=specs_pb2.ClusterSpec.Features(disk_encryption=True)
    )
    merged = with_known_fields(actual, desired)
    assert (merged.talos_version, merged.kubernetes_version) == ("1.13.8", "")
    assert (merged.features.disk_encryption, merged.features.enable_workload_proxy) == (True, False)
    assert not merged.HasField("backup_configuration")
    assert UNKNOWN in merged.features.SerializeToString()
    assert merged.SerializeToString().count(UNKNOWN) == 2
    assert actual.talos_version == "1.13.7"


def test_a_message_that_is_newly_set_and_one_that_is_empty_arrive():
    allocation = specs_pb2.MachineSetSpec.MachineAllocation(name="class", machine_count=3)
    merged = with_known_fields(specs_pb2.MachineSetSpec(), specs_pb2.MachineSetSpec(machine_allocation=allocation))
    assert merged.machine_allocation == allocation
    empty = specs_pb2.ClusterSpec(features=specs_pb2.ClusterSpec.Features())
    assert with_known_fields(specs_pb2.ClusterSpec(), empty).HasField("features")


def test_lists_are_replaced_whole():
    merged = with_known_fields(
        specs_pb2.ExtensionsConfigurationSpec(extensions=["a", "b"]),
        specs_pb2.ExtensionsConfigurationSpec(extensions=["c"]),
    )
    assert list(merged.extensions) == ["c"]


def test_what_is_as_desired_does_not_change():
    spec = parsed(specs_pb2.MachineSetSpec, specs_pb2.MachineSetSpec(update_strategy=1).SerializeToString(), UNKNOWN)
    assert with_known_fields(spec, specs_pb2.MachineSetSpec(update_strategy=1)) == spec
    assert MACHINE_SET.spec is specs_pb2.MachineSetSpec


def test_a_stage_that_only_a_newer_omni_knows_is_told_by_its_number() -> None:
    stages = specs_pb2.ClusterMachineStatusSpec.Stage
    newer = specs_pb2.ClusterMachineStatusSpec.FromString(b"\x10\x63")
    assert [enum_name(stages, number) for number in (stages.RUNNING, newer.stage)] == ["RUNNING", "99"]
