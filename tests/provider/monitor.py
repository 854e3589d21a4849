"""Pulumi's resource monitor, as much of it as a component needs that declares dynamic resources."""

import threading
from concurrent import futures

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

SIGNATURE, OUTPUT_VALUE = rpc._special_sig_key, rpc._special_output_value_sig
STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers every registration with its inputs, and remembers it by the type of the resource."""

    def __init__(self):
        self.registered = {}
        self.lock = threading.Lock()
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def SupportsFeature(self, request, context):  # noqa: N802 - gRPC names it
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request, context):  # noqa: N802
        with self.lock:
            self.registered[request.type] = request
        urn = f"urn:pulumi:dev::shop::{request.type}::{request.name}"
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id="west" if request.custom else "", object=request.object
        )

    def RegisterResourceOutputs(self, request, context):  # noqa: N802
        return empty_pb2.Empty()

    def close(self):
        self.server.stop(None).wait()

    def construct(self, stub, inputs, **request):
        """What the engine asks of the plugin for a component of a program."""
        self.registered.clear()
        struct = struct_pb2.Struct()
        struct.update(inputs)
        around = {"project": "shop", "stack": "dev", "organization": "acme", "parallel": 4, "parent": STACK}
        component = {
            "type": "ksail:index:KSailCluster",
            "name": "west",
            "inputs": struct,
            "accepts_output_values": True,
        }
        given = {**around, **component, "accepts_output_values": True, "monitorEndpoint": self.address, **request}
        return stub.Construct(provider_pb2.ConstructRequest(**given), timeout=60)

    def inputs_of(self, type_):
        """The inputs of a registered resource, secrets as `rpc` wraps them, unknown ones as `Unknown`."""
        return rpc.deserialize_properties(self.registered[type_].object, keep_unknowns=True)


def output(**value):
    """An output as the engine passes it to a component: with no value it is unknown."""
    return {SIGNATURE: OUTPUT_VALUE, **value}
