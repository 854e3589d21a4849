#!/usr/bin/env bash
# pulumi (Python SDK) 3.272.0: a dynamic resource cannot be read by its ID alone, so `pulumi import` of one always fails.
#
# To import, the engine calls Read with the ID and no properties. The dynamic provider host takes the provider's code out
# of the properties (`__provider`), which only a state or a program has, and ends in a KeyError. A resource plugin gets
# the same call and answers it. The `import_` option of such a resource goes the same way.
#
# Output seen: "Read by ID alone: KeyError: '__provider'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pulumi==3.272.0
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

command = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as host:
    port = host.stdout.readline().strip()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        urn = "urn:pulumi:dev::shop::pulumi-python:dynamic:Resource::west"
        read = provider_pb2_grpc.ResourceProviderStub(channel).Read
        try:
            read(provider_pb2.ReadRequest(id="west", urn=urn), timeout=30)
            found = "an answer"
        except grpc.RpcError as error:
            found = error.details().strip().splitlines()[-1]
    host.kill()
print(f"Read by ID alone: {found}")
assert found == "KeyError: '__provider'"
PYTHON
