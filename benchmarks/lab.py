"""A simulated Omni in a process of its own, behind a link of any length, and clusters in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.plan.ownership import OwnershipMark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARK = OwnershipMark("organization/benchmarks/dev/cluster")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Child:
    """A module that runs in a process of its own.

    Attributes:
        process: The process.
        said: The first line that it printed.
    """

    process: subprocess.Popen[str]
    said: str

    def ask(self) -> str:
        """The line that it answers to an empty one."""
        if self.process.stdin is None or self.process.stdout is None:
            raise AssertionError("both were asked for")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@dataclass(frozen=True)
class Omni:
    """An Omni to measure with.

    Attributes:
        endpoint: How to reach it.
        key: The service account key.
        process: The ID of its process.
        link: The link to it; None without one.
    """

    endpoint: str
    key: str
    process: int
    link: Child | None = None

    def connect(self) -> Client:
        return connect(Connection(self.endpoint, self.key))

    def received(self) -> int:
        """The bytes that the link has carried from the simulator so far."""
        return self._counted()[0]

    def calls(self) -> int:
        """The calls that the link has carried to the simulator so far."""
        return self._counted()[1]

    def _counted(self) -> tuple[int, int]:
        if self.link is None:
            raise AssertionError("only a link counts")
        received, calls = map(int, self.link.ask().split())
        return received, calls

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which it is found."""
        return {"OMNI_ENDPOINT": self.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": self.key}

    def cpu(self) -> float:
        """Seconds of CPU that the simulator has used."""
        return cpu_of(self.process)


def cpu_of(process: int) -> float:
    """Seconds of CPU that a process has used, by its ID."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_for(work: Callable[[], object]) -> float:
    """Seconds of CPU of this process for one piece of work."""
    began = time.process_time()
    work()
    return time.process_time() - began


@contextmanager
def omni(*, machines: int, round_trip: float = 0.0, speed: str = "fast") -> Iterator[Omni]:
    """A simulated Omni; `round_trip` is that of the link to it, in seconds."""
    with _process("benchmarks.server", str(machines), speed) as server:
        found = json.loads(server.said)
        here = Omni(found["endpoint"], found["key"], found["process"])
        if not round_trip:
            yield here
            return
        port = here.endpoint.rpartition(":")[2]
        with _process("benchmarks.link", port, str(round_trip)) as link:
            yield replace(here, endpoint=f"grpc://127.0.0.1:{link.said.strip()}", link=link)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[Child]:
    """A module run in a process of its own for the time of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both were asked for")
    try:
        yield Child(process, process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def session(client: Client) -> Session:
    return Session(client, Deadline.after(600))
