"""The runs in which the provider process is killed, and what Omni shall hold after the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.crash.omni import MACHINES
from tests.crash.stack import Program
from tests.host import URN

NOTHING = Program(None)


def patch(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "inline": f"machine: {{sysctls: {{net.core.somaxconn: '{value}'}}}}\n"}


def cluster(name: str = "west", *, urn: str = URN, replaces: bool = False, **inputs: Any) -> Program:
    """A program with a small cluster, which is not waited for."""
    given = {
        "name": name,
        "controlPlane": {"count": 1},
        "workers": 1,
        "talosVersion": "1.13.7",
        "kubernetesVersion": "1.36.2",
        "kernelArgs": ["console=tty0"],
        "patches": [patch("first", "1024"), patch("second", "2048")],
        "waitFor": "none",
        **inputs,
    }
    return Program(given, urn, replaces)


@dataclass(frozen=True)
class Scenario:
    """A run, and what comes before it.

    Attributes:
        run: What is asked for in the run that is cut short, and in the next one.
        least: How many writes the run makes at least.
        before: What the stack has before.
    """

    run: Program
    least: int
    before: Program | None = None


WEST = cluster()
SCENARIOS: Mapping[str, Scenario] = {
    "create": Scenario(WEST, 10),
    "create and wait": Scenario(cluster(waitFor="ready"), 10),
    "scale up": Scenario(cluster(workers=3), 2, WEST),
    "scale down": Scenario(WEST, 2, cluster(workers=3)),
    "scale down and wait": Scenario(cluster(waitFor="ready"), 2, cluster(workers=3)),
    "patches": Scenario(cluster(patches=[patch("first", "4096"), patch("third", "8192")]), 3, WEST),
    "upgrade": Scenario(cluster(talosVersion="1.13.8", kubernetesVersion="1.36.3"), 1, WEST),
    "new owner": Scenario(replace(WEST, urn=f"{URN}-coast"), 8, WEST),
    "new owner and scale": Scenario(cluster(workers=2, urn=f"{URN}-coast"), 9, WEST),
    "replace by name": Scenario(cluster("east"), 11, WEST),
    "replace by force": Scenario(replace(WEST, replaces=True), 11, WEST),
    "destroy": Scenario(NOTHING, 2, WEST),
}


def wanted(program: Program, uuid: str) -> dict[str, Any]:
    """What Omni shall hold of a program's cluster."""
    if program.inputs is None:
        return _omni(clusters={}, sets={}, patches=[], kernel=[], owners=set(), of=set(), free=MACHINES)
    asked = program.inputs
    name, workers = asked["name"], asked["workers"]
    state = {
        "uuid": uuid,
        "ready": True,
        "versions": (asked["talosVersion"], asked["kubernetesVersion"]),
        "unfinished": False,
    }
    return _omni(
        clusters={name: state},
        sets={f"{name}-control-planes": 1, f"{name}-workers": workers},
        patches=sorted(each["inline"] for each in asked["patches"]),
        kernel=["console=tty0"] * (1 + workers),
        owners={program.owner},
        of={name},
        free=MACHINES - 1 - workers,
    )


def _omni(*, clusters: Any, sets: Any, patches: Any, kernel: Any, owners: Any, of: Any, free: int) -> dict[str, Any]:
    return {
        "clusters": clusters,
        "sets": sets,
        "empty sets": set(),
        "patches": patches,
        "kernel": kernel,
        "owners": owners,
        "owners of free machines": set(),
        "of clusters": of,
        "stray machines": set(),
        "going": [],
        "free": free,
    }
