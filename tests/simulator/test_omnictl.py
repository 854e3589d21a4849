"""What omnictl needs from the simulator to read, apply and delete resources of any type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import yaml

from ksail_pulumi.omni.api import meta_pb2, resource_pb2, specs_pb2, state_pb2
from ksail_pulumi.omni.resources import CLUSTER, CLUSTER_STATUS, EXTENSIONS_CONFIGURATION, MACHINE_STATUS
from ksail_pulumi.simulator import yaml_specs
from ksail_pulumi.simulator.server import Simulator

DEFINITIONS = "ResourceDefinitions.meta.cosi.dev"


@pytest.fixture(scope="module")
def omni() -> Iterator[Simulator]:
    with Simulator(machines=1, speed="manual") as simulator:
        yield simulator


@pytest.fixture
def caller(omni: Simulator, make_caller: Callable[..., Any]) -> Any:
    return make_caller(omni.endpoint, omni.service_account_key)


def definitions(caller: Any) -> dict[str, meta_pb2.ResourceDefinitionSpec]:
    request = state_pb2.ListRequest(namespace="meta", type=DEFINITIONS)
    found = {}
    for response in caller.state.List(request, metadata=caller.metadata("/cosi.resource.State/List")):
        spec = meta_pb2.ResourceDefinitionSpec.FromString(response.resource.spec.proto_spec)
        found[response.resource.metadata.id] = spec
    return found


def test_the_definitions_name_each_type_with_its_namespace_and_aliases(caller: Any) -> None:
    found = definitions(caller)
    statuses = found["machinesetstatuses.omni.sidero.dev"]
    assert (statuses.resource_type, statuses.display_type) == ("MachineSetStatuses.omni.sidero.dev", "MachineSetStatus")
    assert statuses.default_namespace == "default"
    assert list(statuses.aliases) == ["machinesetstatus", "mss"]
    assert list(statuses.all_aliases) == [
        *("machinesetstatuses", "machinesetstatuses.omni", "machinesetstatuses.omni.sidero"),
        *("machinesetstatus", "mss"),
    ]
    assert list(found["configpatches.omni.sidero.dev"].aliases) == ["configpatch", "cp", "cps"]
    assert list(found["clusters.omni.sidero.dev"].aliases) == ["cluster"]
    assert found["machineclasses.omni.sidero.dev"].display_type == "MachineClass"
    assert found["clustermachineidentities.omni.sidero.dev"].display_type == "ClusterMachineIdentity"
    assert found["resourcedefinitions.meta.cosi.dev"].default_namespace == "meta"


@pytest.mark.parametrize("role", ["None", "Reader", "Auditor", "Operator", "Admin"])
def test_every_account_may_read_the_definitions_and_none_may_write_them(
    omni: Simulator, make_caller: Callable[..., Any], role: str
) -> None:
    """As captured for each role."""
    caller = make_caller(omni.endpoint, omni.issue_key(role.lower(), role))
    assert definitions(caller)
    with pytest.raises(grpc.RpcError) as missing:
        caller.call("Get", state_pb2.GetRequest(namespace="meta", type=DEFINITIONS, id="no-such"))
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert missing.value.details() == f"resource {DEFINITIONS}(meta/no-such@undefined) doesn't exist"
    request = state_pb2.TeardownRequest(namespace="meta", type=DEFINITIONS, id="clusters.omni.sidero.dev")
    with pytest.raises(grpc.RpcError) as refused:
        caller.call("Teardown", request)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "desc = only read access is permitted" in refused.value.details()


def test_other_clients_get_specs_as_yaml_too(caller: Any) -> None:
    request = state_pb2.ListRequest(namespace="default", type=MACHINE_STATUS.name)
    [response] = caller.state.List(request, metadata=caller.metadata("/cosi.resource.State/List"))
    spec = yaml.safe_load(response.resource.spec.yaml_spec)
    assert spec["talosversion"] == "v1.13.8"
    metadata = resource_pb2.Metadata(
        namespace="default", type=CLUSTER.name, id="c1", version="undefined", phase="running"
    )
    written = specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.36.3").SerializeToString()
    resource = resource_pb2.Resource(metadata=metadata, spec=resource_pb2.Spec(proto_spec=written))
    created = caller.call("Create", state_pb2.CreateRequest(resource=resource)).resource
    assert created.spec.yaml_spec == (
        "kubernetesversion: 1.36.3\ntalosversion: 1.13.8\nfeatures: null\nbackupconfiguration: null\n"
    )


def test_the_yaml_of_a_spec_is_that_of_omni() -> None:
    """The ClusterStatus as omnictl printed it for a captured cluster."""
    captured = {
        "available": True,
        "machines": {"total": 2, "healthy": 2, "connected": 2, "requested": 2},
        "phase": 3,
        "ready": True,
        "kubernetesapiready": True,
        "controlplaneready": False,
        "hasconnectedcontrolplanes": True,
        "useembeddeddiscoveryservice": False,
        "talosversion": "1.13.8",
        "kubernetesversion": "1.36.3",
        "disablepublicdiscoveryservice": False,
        "initialtalosversion": "1.13.8",
    }
    machines = specs_pb2.Machines(total=2, healthy=2, connected=2, requested=2)
    spec = specs_pb2.ClusterStatusSpec(
        available=True,
        machines=machines,
        phase=specs_pb2.ClusterStatusSpec.RUNNING,
        ready=True,
        kubernetesAPIReady=True,
        has_connected_control_planes=True,
        talos_version="1.13.8",
        kubernetes_version="1.36.3",
        initial_talos_version="1.13.8",
    )
    assert form(CLUSTER_STATUS.name, spec) == captured


def test_lists_in_yaml_are_written_also_when_they_are_empty() -> None:
    spec = specs_pb2.ExtensionsConfigurationSpec(extensions=["siderolabs/gvisor"])
    assert form(EXTENSIONS_CONFIGURATION.name, spec) == {"extensions": ["siderolabs/gvisor"]}
    assert form(EXTENSIONS_CONFIGURATION.name, specs_pb2.ExtensionsConfigurationSpec()) == {"extensions": []}


def form(kind: str, spec: Any) -> Any:
    reply = state_pb2.GetResponse()
    reply.resource.metadata.type = kind
    reply.resource.spec.proto_spec = spec.SerializeToString()
    yaml_specs.add(reply)
    return yaml.safe_load(reply.resource.spec.yaml_spec)
