"""Runs Pulumi's provider host so that parts of it cannot be found: `opaque_host.py HIDDEN[,HIDDEN…] ADDRESS`.

frames: providers run in a thread of their own, with no servicer among the frames that called them
server: the serving thread does not show what it runs
engine: the engine's address is not on the command line
"""

import runpy
import sys
import threading
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


class OpaqueThread(threading.Thread):
    def __init__(self, target, args):
        super().__init__(target=lambda: target(*args))


def hide_server():
    _server.threading = types.SimpleNamespace(**{**vars(threading), "Thread": OpaqueThread})


def hide_engine():
    sys.argv = sys.argv[:1]


def main():
    for hidden in sys.argv[1].split(","):
        globals()[f"hide_{hidden}"]()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=False)


main()
