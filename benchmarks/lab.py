"""A simulated Omni in a process of its own, behind a link of any length, and clusters in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.plan.ownership import OwnershipMark

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = OwnershipMark("organization/benchmarks/dev/cluster")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Omni:
    """An Omni to measure with.

    Attributes:
        endpoint: How to reach it.
        key: The service account key.
        process: The ID of its process.
    """

    endpoint: str
    key: str
    process: int

    def connect(self) -> Client:
        return connect(Connection(self.endpoint, self.key))

    def cpu(self) -> float:
        """Seconds of CPU that the simulator has used."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def omni(*, machines: int, round_trip: float = 0.0, speed: str = "fast") -> Iterator[Omni]:
    """A simulated Omni; `round_trip` is that of the link to it, in seconds."""
    with _process("benchmarks.server", str(machines), speed) as server:
        found = json.loads(server)
        here = Omni(found["endpoint"], found["key"], found["process"])
        if not round_trip:
            yield here
            return
        port = here.endpoint.rpartition(":")[2]
        with _process("benchmarks.link", port, str(round_trip)) as link:
            yield replace(here, endpoint=f"grpc://127.0.0.1:{link.strip()}")


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[str]:
    """A module run in a process of its own for the time of the block; yields the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both were asked for")
    try:
        yield process.stdout.readline()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def session(client: Client) -> Session:
    return Session(client, Deadline.after(600))
