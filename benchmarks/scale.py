"""What each verb costs, by machines, and by clusters in a stack: the tables of `docs/scale.md`."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.empty import EmptyProvider
from benchmarks.host import Host, provider_process
from benchmarks.lab import Omni, omni
from benchmarks.stack import CLUSTERS, stacks
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.properties import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.stack import Used

MACHINES = (3, 100, 1000, 5000)
STACKS = (1, 50, 200)
LINK = 0.001
_PATCH = {"name": "sysctl", "inline": {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}}
_BEGIN, _END = "<!-- measured -->\n", "<!-- end of measured -->\n"


@dataclass
class _Cost:
    """What a piece of work cost.

    Attributes:
        work: What it is.
        calls: The calls to Omni.
        received: The bytes that Omni sent.
        cpu: Seconds of CPU.
        memory: The peak in MiB; None if it was not measured.
    """

    work: str
    calls: int = 0
    received: int = 0
    cpu: float = 0.0
    memory: float | None = None

    def row(self, *first: str) -> str:
        memory = [] if self.memory is None else [f"{self.memory:.0f} MiB"]
        cells = [*first, self.work, f"{self.calls:,}", _bytes(self.received), f"{self.cpu:.2f} s", *memory]
        return f"| {' | '.join(cells)} |"


def _bytes(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


@contextmanager
def _counted(cost: _Cost, server: Omni) -> Iterator[None]:
    calls, received = server.calls(), server.received()
    yield
    cost.calls, cost.received = server.calls() - calls, server.received() - received


def _verb(server: Omni, name: str, work: Callable[[Host], Any], bare: float) -> tuple[_Cost, Any]:
    """The cost of a verb in a provider process of its own, and its answer."""
    cost = _Cost(name)
    with provider_process(OmniClusterProvider(), server.environment) as process:
        with _counted(cost, server):
            answer = work(process)
        cost.memory = process.memory("VmHWM")
    cost.cpu = process.cpu - bare
    return cost, answer


def _bare() -> float:
    """Seconds of CPU of a provider process that does nothing."""
    with provider_process(EmptyProvider(), {}) as process:
        process.check({}, {})
    return process.cpu


def _verbs(machines: int, bare: float) -> Iterator[_Cost]:
    inputs = {
        "name": "bench",
        "controlPlane": {"count": 1},
        "workers": machines - 1,
        "waitFor": "none",
        "__owner": "o/p/s/bench",
    }
    # Twice as many: half of the account belongs to nobody. In real time: machines that come up meanwhile would take the
    # CPU of the simulator, and of the wait for the deletion.
    with omni(machines=2 * machines, round_trip=LINK, speed="real") as server:
        cost, _ = _verb(server, "preview", lambda host: host.check({}, {**inputs, PREVIEW: True}), bare)
        yield cost
        cost, made = _verb(server, "create", lambda host: host.create(inputs), bare)
        yield cost
        cost, _ = _verb(server, "read (refresh)", lambda host: host.read(made.properties), bare)
        yield cost
        changed = {**inputs, "patches": [_PATCH]}
        cost, _ = _verb(
            server, "preview of a change", lambda host: host.check(inputs, {**changed, PREVIEW: True}), bare
        )
        yield cost
        cost, updated = _verb(server, "update", lambda host: host.update(made.properties, changed), bare)
        yield cost
        made.properties.update(updated.properties)
        cost, _ = _verb(server, "delete", lambda host: host.delete(made.properties), bare)
        yield cost


def _stack(clusters: int) -> Iterator[_Cost]:
    with stacks() as folder, omni(machines=clusters, round_trip=LINK) as server:
        program = CLUSTERS.format(clusters=clusters, workers=0, inputs="control_plane={'count': 1}, wait_for='none'")
        stack = folder.new("clusters", program, server.environment)
        works: dict[str, Callable[[], Used]] = {
            "preview": lambda: stack.pulumi("preview"),
            "up": lambda: stack.up("--parallel", "64"),
            "up without changes": lambda: stack.up("--parallel", "64"),
            "refresh": lambda: stack.pulumi("refresh", "--yes", "--skip-preview", "--parallel", "64"),
            "destroy": stack.destroy,
        }
        for name, work in works.items():
            cost = _Cost(name)
            with _counted(cost, server):
                cost.cpu = work().cpu
            yield cost


def tables(machines: Sequence[int] = MACHINES, clusters: Sequence[int] = STACKS) -> Iterator[str]:
    """The lines of both tables."""
    bare = min(_bare() for _ in range(5))
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {os.cpu_count()} cores."
    yield ""
    yield "| machines | verb | calls | received | CPU | memory |"
    yield "|---:|---|---:|---:|---:|---:|"
    for number in machines:
        for cost in _verbs(number, bare):
            yield cost.row(f"{number:,}")
    yield ""
    yield "| clusters | command | calls | received | CPU of all processes |"
    yield "|---:|---|---:|---:|---:|"
    for number in clusters:
        for cost in _stack(number):
            yield cost.row(f"{number:,}")


def write(path: str = "") -> None:
    """Print both tables, and write them into a page if there is one."""
    lines = []
    for line in tables():
        print(line, flush=True)
        lines.append(f"{line}\n")
    if path:
        page = Path(path)
        before, _, rest = page.read_text().partition(_BEGIN)
        _, _, after = rest.partition(_END)
        page.write_text(f"{before}{_BEGIN}{''.join(lines)}{_END}{after}")
