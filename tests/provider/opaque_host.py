"""Runs Pulumi's provider host so that parts of it cannot be found: `opaque_host.py HIDDEN[,HIDDEN…] ADDRESS`.

frames: providers run in a thread of their own, with no servicer among the frames that called them
server: the serving thread's function has another name
engine: the engine's address is not on the command line
"""

import runpy
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import dill
from grpc import _server


class InAnotherThread:
    def __init__(self, provider):
        self.provider = provider
        self.threads = ThreadPoolExecutor(max_workers=32)

    def __getattr__(self, name):
        method = getattr(self.provider, name)
        return lambda *arguments: self.threads.submit(method, *arguments).result()


def hide_frames():
    loads = dill.loads
    dill.loads = lambda data: InAnotherThread(loads(data))


def hide_server():
    serve = _server._serve
    _server._serve = types.FunctionType(serve.__code__.replace(co_name="loop"), serve.__globals__)


def hide_engine():
    sys.argv = sys.argv[:1]


def main():
    for hidden in sys.argv[1].split(","):
        globals()[f"hide_{hidden}"]()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=False)


main()
