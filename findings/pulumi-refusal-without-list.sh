#!/usr/bin/env bash
# pulumi (Python SDK) 3.272.0: a component provider that refuses inputs with InputPropertiesError(message), without the
# optional list of properties, does not pass on the message: the caller gets UNKNOWN and an AttributeError.
#
# The list is optional in the constructor, and its default is None. The server builds the status of the answer, and its
# trailing metadata only with a list; gRPC then reads the metadata that is not there. With an empty list the answer is
# INVALID_ARGUMENT and the message.
#
# Output seen:
#   with an empty list: INVALID_ARGUMENT: the size is too large
#   without a list: UNKNOWN: Unexpected <class 'AttributeError'>: 'Status' object has no attribute 'trailing_metadata'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pulumi==3.272.0 grpcio==1.85.1
cat > "$folder/shop.py" <<'PYTHON'
import sys

from pulumi import InputPropertiesError, provider


class Shop(provider.Provider):
    def __init__(self):
        super().__init__("1.0.0", '{"name": "shop"}')

    def construct(self, name, resource_type, inputs, options=None):
        message = "the size is too large"
        raise InputPropertiesError(message, []) if name == "with" else InputPropertiesError(message)


provider.main(Shop(), sys.argv[1:])
PYTHON
cat > "$folder/ask.py" <<'PYTHON'
import subprocess
import sys
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, resource_pb2, resource_pb2_grpc


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    def SupportsFeature(self, request, context):
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)


monitor = grpc.server(futures.ThreadPoolExecutor(4))
resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(), monitor)
address = f"127.0.0.1:{monitor.add_insecure_port('127.0.0.1:0')}"
monitor.start()
command = [sys.executable, "-u", sys.argv[1], "127.0.0.1:1"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as host:
    port = host.stdout.readline().strip()
    found = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in ("with", "without"):
            request = provider_pb2.ConstructRequest(
                project="shop", stack="dev", type="shop:index:Shop", name=name, monitorEndpoint=address
            )
            try:
                provider_pb2_grpc.ResourceProviderStub(channel).Construct(request, timeout=30)
                found.append("an answer")
            except grpc.RpcError as error:
                found.append(f"{error.code().name}: {error.details().strip().splitlines()[-1]}")
    host.kill()
monitor.stop(None)
print(f"with an empty list: {found[0]}")
print(f"without a list: {found[1]}")
assert found[0] == "INVALID_ARGUMENT: the size is too large"
assert found[1].startswith("UNKNOWN: ") and "AttributeError" in found[1] and "too large" not in found[1]
PYTHON
"$folder/venv/bin/python" "$folder/ask.py" "$folder/shop.py"
