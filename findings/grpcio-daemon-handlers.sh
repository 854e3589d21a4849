#!/usr/bin/env bash
# grpcio 1.82.1 on CPython 3.11: the threads in which a gRPC server runs its handlers are daemons, although those of a
# concurrent.futures.ThreadPoolExecutor are not.
#
# The pool starts a thread when work is submitted, and a thread inherits `daemon` from the one that starts it. grpcio
# submits from its own serving thread, which is a daemon. So what a handler starts with threading.Thread(target=…) is a
# daemon too, and dies in the middle of its work when the process ends; the same line run from the main thread lives on.
#
# Output seen: "from the main thread: daemon=False" and "in a handler: daemon=True, a thread it starts: daemon=True".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet grpcio==1.82.1
"$folder/venv/bin/python" - <<'PYTHON'
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

seen = {}


def handle(request, context):
    seen["handler"] = threading.current_thread().daemon
    seen["started"] = threading.Thread(target=print).daemon
    return b""


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(handle)


with ThreadPoolExecutor(max_workers=1) as pool:
    seen["main"] = pool.submit(lambda: threading.current_thread().daemon).result()
server = grpc.server(ThreadPoolExecutor(max_workers=1))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    channel.unary_unary("/any/Method")(b"", timeout=10)
server.stop(None).wait()
print(f"from the main thread: daemon={seen['main']}")
print(f"in a handler: daemon={seen['handler']}, a thread it starts: daemon={seen['started']}")
assert seen == {"main": False, "handler": True, "started": True}
PYTHON
