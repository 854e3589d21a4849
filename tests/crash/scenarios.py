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


def cluster(name: str = "west", *, urn: str = URN, **inputs: Any) -> Program:
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
    return Program(given, urn)


@dataclass(frozen=True)
class Scenario:
    """A run, and what comes before it.

    Attributes:
        step: What is done: `create`, `update`, `replace` or `delete`.
        run: What is asked for in the run that is cut short, and in the next one.
        writes: How many writes the run makes at least.
        before: What the stack has before.
        tainted: Whether the cluster is tainted before the run.
    """

    step: str
    run: Program
    writes: int
    before: Program | None = None
    tainted: bool = False


WEST = cluster()
COAST = f"{URN}-coast"
SCENARIOS: Mapping[str, Scenario] = {
    "create": Scenario("create", WEST, 11),
    "create and wait": Scenario("create", cluster(waitFor="ready"), 11),
    "scale up": Scenario("update", cluster(workers=3), 4, WEST),
    "scale down": Scenario("update", WEST, 4, cluster(workers=3)),
    "scale down and wait": Scenario("update", cluster(waitFor="ready"), 4, cluster(workers=3)),
    "patches": Scenario("update", cluster(patches=[patch("first", "4096"), patch("third", "8192")]), 3, WEST),
    "upgrade": Scenario("update", cluster(talosVersion="1.13.8", kubernetesVersion="1.36.3"), 1, WEST),
    "new owner": Scenario("update", replace(WEST, urn=COAST), 9, WEST),
    "new owner and scale": Scenario("update", cluster(workers=2, urn=COAST), 11, WEST),
    "replace by name": Scenario("replace", cluster("east"), 14, WEST),
    "replace by force": Scenario("replace", WEST, 14, WEST, tainted=True),
    "destroy": Scenario("delete", NOTHING, 3, WEST),
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
        "locked": asked.get("locked", False),
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
