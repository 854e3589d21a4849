#!/usr/bin/env bash
# pulumi (Python SDK) 3.272.0 beside googleapis-common-protos 1.76.0: a process that has imported `pulumi.provider`
# cannot import `google.rpc.status_pb2`, and the other way round. So a component provider in Python cannot use
# grpcio-status or a client of Google Cloud.
#
# The SDK has a copy of google/rpc/status.proto under a file name of its own, with the same package `google.rpc`.
# Protobuf for Python has one pool of descriptors for a process, and refuses the second definition of a symbol.
# `import pulumi` alone does not load the copy: a program has no problem.
#
# Output seen:
#   pulumi, then google.rpc.status_pb2: both
#   pulumi.provider, then google.rpc.status_pb2: duplicate symbol 'google.rpc.Status'
#   google.rpc.status_pb2, then pulumi.provider: duplicate symbol 'google.rpc.Status'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pulumi==3.272.0 grpcio==1.85.1 googleapis-common-protos==1.76.0
cat > "$folder/both.py" <<'PYTHON'
import importlib
import re
import sys

try:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    found = "both"
except TypeError as error:
    found = re.search(r"duplicate symbol '[\w.]+'", str(error))[0]
print(f"{sys.argv[1]}, then {sys.argv[2]}: {found}")
assert found == ("both" if sys.argv[1] == "pulumi" else "duplicate symbol 'google.rpc.Status'")
PYTHON
"$folder/venv/bin/python" "$folder/both.py" pulumi google.rpc.status_pb2
"$folder/venv/bin/python" "$folder/both.py" pulumi.provider google.rpc.status_pb2
"$folder/venv/bin/python" "$folder/both.py" google.rpc.status_pb2 pulumi.provider
