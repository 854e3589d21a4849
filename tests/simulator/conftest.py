"""A client of the simulator that shares nothing with the package's own, and a lab in the state of the recordings."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import grpc
import pysequoia
import pytest

from ksail_pulumi.omni.api import management_pb2_grpc, resource_pb2, specs_pb2, state_pb2, state_pb2_grpc
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    ANNOTATION_LOCKED,
    CLUSTER,
    CLUSTER_BOOTSTRAP_STATUS,
    CLUSTER_CONFIG_VERSION,
    CLUSTER_MACHINE,
    CLUSTER_STATUS,
    CLUSTER_UUID,
    CONFIG_PATCH,
    KUBERNETES_UPGRADE_STATUS,
    LABEL_AVAILABLE,
    LABEL_CLUSTER,
    LABEL_CLUSTER_UUID,
    LABEL_CONTROL_PLANE,
    LABEL_INSTALLED,
    LABEL_MACHINE_SET,
    LABEL_TALOS_VERSION,
    LABEL_WORKER,
    MACHINE_CLASS,
    MACHINE_SET,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
)
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.store import Store

SIGNED = ("authorization", "cluster", "context", "fieldSelectors", "namespace", "nodes", "runtime", "selectors", "uid")
_METHODS = {"State": "cosi.resource.State", "ManagementService": "management.ManagementService"}


class Caller:
    """Calls an Omni with requests signed by hand, so that every part of the signature can be made wrong."""

    def __init__(self, endpoint: str, key: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        target = endpoint.partition("://")[2]
        options = [("grpc.max_receive_message_length", 32 * 1024 * 1024)]
        self.channel = (
            grpc.secure_channel(target, credentials, options) if credentials else grpc.insecure_channel(target, options)
        )
        self.state = state_pb2_grpc.StateStub(self.channel)
        self.management = management_pb2_grpc.ManagementServiceStub(self.channel)
        account = json.loads(base64.b64decode(key))
        self.name: str = account["name"]
        secret = pysequoia.Tsk.from_bytes(account["pgp_key"].encode())
        self.fingerprint = secret.extract_certificate().fingerprint
        self._signer = secret.signer()

    def sign(self, text: str) -> str:
        signature = pysequoia.sign(self._signer, text.encode(), mode=pysequoia.SignatureMode.DETACHED, armor=False)
        return base64.b64encode(signature).decode()

    def metadata(
        self,
        method: str,
        sent: Mapping[str, str] | None = None,
        *,
        timestamp: str = "",
        payload: Callable[[dict[str, Any]], Any] = lambda payload: payload,
    ) -> list[tuple[str, str]]:
        """What a call of `/service/Method` carries; `payload` may spoil what is signed."""
        given = dict(sent or {})
        stamp = timestamp or str(int(time.time()))
        headers = {key: [given[key]] if key in given else None for key in SIGNED}
        content = payload({"headers": {**headers, "x-sidero-timestamp": [stamp]}, "method": method})
        text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
        return [
            *given.items(),
            ("x-sidero-timestamp", stamp),
            ("x-sidero-payload", text),
            ("x-sidero-signature", f"siderov1 {self.name} {self.fingerprint} {self.sign(text)}"),
        ]

    def call(self, method: str, request: Any, sent: Mapping[str, str] | None = None) -> Any:
        """Make a unary call of State or Management."""
        service, stub = self._service(method)
        return getattr(stub, method)(request, metadata=self.metadata(f"/{service}/{method}", sent), timeout=60)

    def stream(self, method: str, request: Any, timeout: float | None = 10) -> Any:
        """Open a stream of State or Management."""
        service, stub = self._service(method)
        return getattr(stub, method)(request, metadata=self.metadata(f"/{service}/{method}"), timeout=timeout)

    def create(self, resource: resource_pb2.Resource) -> Resource:
        return self.call("Create", state_pb2.CreateRequest(resource=resource))

    def _service(self, method: str) -> tuple[str, Any]:
        if hasattr(self.state, method):
            return _METHODS["State"], self.state
        return _METHODS["ManagementService"], self.management


class Lab:
    """The clusters, sets, nodes and patches that the recorded attempts were made on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        for number in range(6):
            labels = {LABEL_TALOS_VERSION: "v1.13.8", LABEL_INSTALLED: "", LABEL_AVAILABLE: ""}
            store.put(Resource(MACHINE_STATUS, f"m{number}", specs_pb2.MachineStatusSpec(), labels, owner="c"))
        store.put(Resource(MACHINE_CLASS, "rf-mc", specs_pb2.MachineClassSpec(match_labels=["a"])))
        self.cluster("rf1", "1.13.8", "1.36.3", uuid="fc3ab041-b8ae-4bd8-943b-0fdffcec4f1a")
        self.cluster("rf2", "1.12.11", "1.35.7")
        self.cluster("rf-u", "1.13.6", "1.35.6")
        self.cluster("rf-u3", "1.12.11", "1.35.7")
        bootstrapped = specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=True)
        store.put(Resource(CLUSTER_BOOTSTRAP_STATUS, "rf1", bootstrapped, owner="c"))
        upgrade = specs_pb2.KubernetesUpgradeStatusSpec(last_upgrade_version="1.36.3")
        store.put(Resource(KUBERNETES_UPGRADE_STATUS, "rf1", upgrade, owner="c"))
        for name in ("rf1-control-planes", "rf1-workers", "rf1-sw"):
            self.machine_set(name)
        self.node("m0", "rf1-control-planes")
        self.node("m1", "rf1-workers")
        store.put(Resource(CLUSTER_MACHINE, "m0", specs_pb2.ClusterMachineSpec(), owner="c"))

    def cluster(
        self,
        name: str,
        talos: str = "1.13.8",
        kubernetes: str = "1.36.3",
        *,
        uuid: str = "",
        locked: bool = False,
        status: bool = True,
        phase: str = "running",
    ) -> None:
        spec = specs_pb2.ClusterSpec(
            talos_version=talos, kubernetes_version=kubernetes, features=specs_pb2.ClusterSpec.Features()
        )
        annotations = {ANNOTATION_CLUSTER_LOCKED: ""} if locked else {}
        self.store.put(Resource(CLUSTER, name, spec, annotations=annotations, phase=phase))
        initial = specs_pb2.ClusterConfigVersionSpec(version=f"v{talos}")
        self.store.put(Resource(CLUSTER_CONFIG_VERSION, name, initial, owner="c"))
        if status:
            self.store.put(Resource(CLUSTER_STATUS, name, specs_pb2.ClusterStatusSpec(), owner="c"))
        if uuid:
            labels = {LABEL_CLUSTER_UUID: uuid}
            self.store.put(Resource(CLUSTER_UUID, name, specs_pb2.ClusterUUID(uuid=uuid), labels, owner="c"))

    def versions(self, cluster: str, talos: str, kubernetes: str) -> None:
        spec = specs_pb2.ClusterSpec(
            talos_version=talos, kubernetes_version=kubernetes, features=specs_pb2.ClusterSpec.Features()
        )
        self.store.edit(CLUSTER, cluster, lambda found: replace(found, spec=spec))

    def lock(self, cluster: str) -> None:
        self.store.edit(CLUSTER, cluster, lambda found: replace(found, annotations={ANNOTATION_CLUSTER_LOCKED: ""}))

    def lock_node(self, machine: str) -> None:
        self.store.edit(MACHINE_SET_NODE, machine, lambda found: replace(found, annotations={ANNOTATION_LOCKED: ""}))

    def machine_set(self, name: str, **options: str) -> None:
        spec = specs_pb2.MachineSetSpec()
        if "class" in options:
            spec.machine_allocation.name = options["class"]
        role = LABEL_CONTROL_PLANE if name.endswith("-control-planes") else LABEL_WORKER
        labels = {LABEL_CLUSTER: name.partition("-")[0], role: ""}
        new = Resource(MACHINE_SET, name, spec, labels)
        self.store.put(new)
        if "phase" in options:
            self.store.edit(MACHINE_SET, name, lambda found: replace(found, phase=options["phase"]))

    def node(self, machine: str, set_id: str) -> None:
        role = LABEL_CONTROL_PLANE if set_id.endswith("-control-planes") else LABEL_WORKER
        labels = {LABEL_CLUSTER: set_id.partition("-")[0], LABEL_MACHINE_SET: set_id, role: ""}
        spec = specs_pb2.MachineSetNodeSpec()
        self.store.put(Resource(MACHINE_SET_NODE, machine, spec, labels, finalizers=("MachineSetStatusController",)))

    def patch(self, name: str, **options: Any) -> None:
        spec = specs_pb2.ConfigPatchSpec(data="machine: {sysctls: {a: b}}\n")
        patch = Resource(
            CONFIG_PATCH,
            name,
            spec,
            {LABEL_CLUSTER: "rf1"},
            phase=options.get("phase", "running"),
            finalizers=tuple(options.get("finalizers", ())),
        )
        self.store.create(patch, owner=options.get("owner", ""))


@pytest.fixture
def still() -> Iterator[Simulator]:
    """A simulator without machines, in which nothing moves by itself."""
    with Simulator(machines=0, speed="manual") as omni:
        yield omni


@pytest.fixture
def caller(still: Simulator) -> Iterator[Caller]:
    caller = Caller(still.endpoint, still.service_account_key)
    yield caller
    caller.channel.close()


@pytest.fixture
def lab(still: Simulator) -> Lab:
    return Lab(still.store)


@pytest.fixture
def make_caller() -> Iterator[Callable[..., Caller]]:
    """Makes callers with other keys; they are closed at the end."""
    callers: list[Caller] = []

    def make(endpoint: str, key: str, credentials: grpc.ChannelCredentials | None = None) -> Caller:
        callers.append(Caller(endpoint, key, credentials))
        return callers[-1]

    yield make
    for caller in callers:
        caller.channel.close()
