"""CPU of our processes beside those of the earlier build: two commands, the provider process, and a program.

Counted is the CPU time of whole processes with compiled bytecode, in turn.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.earlier import COMMIT, earlier_build
from benchmarks.empty import EmptyProvider
from benchmarks.figure import Figure
from benchmarks.host import provider_process
from benchmarks.lab import MARK, ROOT, Omni, omni, session
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.provider.cluster import OmniClusterProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RUNS = 15
COMMAND, PROVIDER, PROGRAM = 0.5, 0.6, 1.25
_RUN = "import sys; from ksail_pulumi.cli.app import main; sys.exit(main())"
_GRPC = "import grpc; grpc.insecure_channel('127.0.0.1:1').close()"
_MOCKS = """
import pulumi
from pulumi.runtime import Mocks
class Nothing(Mocks):
    def new_resource(self, args): return args.name, args.inputs
    def call(self, args): return {}
pulumi.runtime.set_mocks(Nothing())
@pulumi.runtime.test
def declared():
"""
_CLUSTER = f"{_MOCKS}    from ksail_pulumi import OmniCluster\n    OmniCluster('bench', workers=2)\ndeclared()"
_EMPTY = f"{_MOCKS}    from benchmarks.empty import empty_cluster\n    empty_cluster('bench')\ndeclared()"
_INPUTS = {"name": "new", "controlPlane": {"count": 1}, "workers": 1, "__owner": "o/p/s/new", "__preview": True}


def _cpu(code: str, *arguments: str, tree: Path = ROOT, server: Omni | None = None) -> float:
    """Seconds of CPU of a process that runs a text with the package of a checkout."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}:{ROOT}", **(server.environment if server else {})},
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _check(server: Omni, tree: Path) -> float:
    """Seconds of CPU of a provider process that checks the inputs of a new cluster."""
    with provider_process(OmniClusterProvider(), server.environment, tree) as process:
        process.check({}, _INPUTS)
    return process.cpu


def _check_nothing() -> float:
    with provider_process(EmptyProvider(), {}) as process:
        process.check({}, {})
    return process.cpu


def _least(*works: Callable[[], float]) -> list[float]:
    """The least milliseconds of each work, measured in turn: what else runs on this machine only adds."""
    for work in works:
        work()
    runs = [[work() for work in works] for _ in range(RUNS)]
    return [min(each) * 1000 for each in zip(*runs, strict=True)]


@contextmanager
def _account() -> Iterator[Omni]:
    """An Omni with a cluster of three machines."""
    with omni(machines=6) as server:
        create(parse_cluster({"name": "west", "workers": 2}), MARK, session(server.connect()))
        yield server


def measure() -> Iterator[Figure]:
    with _account() as server, earlier_build() as earlier:
        for command in (["list"], ["info", "west"]):
            run = partial(_cpu, _RUN, *command, server=server)
            now, before, grpc = _least(run, partial(run, tree=earlier), partial(_cpu, _GRPC))
            yield Figure(
                f"CPU of `{command[0]}` beside that at {COMMIT}",
                now / before,
                COMMAND,
                "",
                f"{now:.0f} ms beside {before:.0f} ms; the least of {RUNS} in turn",
                reason=f"Python and gRPC alone are {grpc:.0f} ms, {grpc / before:.2f} of it",
            )
        now, before, bare = _least(lambda: _check(server, ROOT), lambda: _check(server, earlier), _check_nothing)
        models = _added("import pulumi.dynamic, grpc", "import ksail_pulumi.model.cluster")
        yield Figure(
            f"CPU that the check of a new cluster adds to a provider process, beside that at {COMMIT}",
            (now - bare) / (before - bare),
            PROVIDER,
            "",
            f"{now - bare:.0f} ms beside {before - bare:.0f} ms, on top of {bare:.0f} ms; the least of {RUNS} in turn",
            reason=f"the models and pydantic alone are {models:.0f} ms, {models / (before - bare):.2f} of it",
        )
        now, before, empty = _least(lambda: _cpu(_CLUSTER), lambda: _cpu(_CLUSTER, tree=earlier), lambda: _cpu(_EMPTY))
        yield Figure(
            "CPU of a program with a cluster, beside one with as many empty dynamic resources",
            now / empty,
            PROGRAM,
            "",
            f"{now:.0f} ms beside {empty:.0f} ms; {before:.0f} ms at {COMMIT}; the least of {RUNS} in turn",
        )


def _added(first: str, second: str) -> float:
    without, with_ = _least(lambda: _cpu(first), lambda: _cpu(f"{first}; {second}"))
    return with_ - without
