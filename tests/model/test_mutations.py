"""Whatever is written in place of a valid cluster gives a cluster or a clear refusal, never a traceback or a hang."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ksail_pulumi.model.parse import InvalidCluster, parse_cluster, to_wire
from tests.sweeps import sample

ONE = "10001802-c798-4da7-a410-f09abb48c8d8"
VALID: dict[str, Any] = {
    "name": "prod",
    "kubernetesVersion": "1.36.3",
    "talosVersion": "v1.13.8",
    "controlPlane": {
        "count": 3,
        "selector": "a in (b)",
        "patches": [{"name": "a", "inline": {"machine": {"a": [1, {"b": "c"}]}}}],
        "bootstrapSpec": {"clusterUUID": "x", "snapshot": "y"},
        "upgradeStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 1}},
        "systemExtensions": ["a"],
        "kernelArgs": ["b"],
    },
    "workers": [
        {"name": "a", "machines": [ONE]},
        {"machineClass": {"name": "x", "size": "unlimited"}, "deleteStrategy": {"type": "Rolling"}},
    ],
    "machines": {
        ONE: {
            "locked": True,
            "install": {"disk": "/dev/vda"},
            "patches": [{"idOverride": "q", "inline": "a: b\n---\nkind: c\n"}],
        }
    },
    "features": {"diskEncryption": True},
    "backup": {"interval": "1h"},
    "manifests": [{"name": "m", "mode": "full", "inline": "kind: b\n"}],
    "healthChecks": [{"name": "h", "job": {"a": 1}, "interval": "1m"}],
    "labels": {"a": "b"},
    "kubeconfig": {"ttl": "1h", "groups": ["x"]},
    "backupBefore": ["upgrade", "delete"],
    "onUpgradeFailure": "revert",
    "onUpdate": {"disconnectedMachines": "remove"},
    "onDelete": {"disconnectedMachines": "wait"},
}
DEEP: Any = "x"
for _ in range(5000):
    DEEP = [DEEP]
ODD = [
    *(None, True, 0, -1, 3.5, 1e308, float("nan"), float("inf"), 10**400, "", "x", "\0", "unlimited"),
    *([], {}, [[]], [{}], {"": ""}, b"x", object(), {1: 2}, (1, 2), {"name": 1}, DEEP),
    *("1h" * 500, "- a", "[", "*a", "&a [*a]", "!!python/object:os.system x", "\ud800", {"\udfff": 1}, "é" * 300),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from paths(value[key], (*path, key))


def mutated(rng: random.Random) -> dict[str, Any]:
    """The valid cluster with something at one place replaced, removed or added."""
    data = copy.deepcopy(VALID)
    *way, last = rng.choice([path for path in paths(data) if path])
    place: Any = data
    for key in way:
        place = place[key]
    match rng.choice(("replace", "replace", "remove", "add")):
        case "replace":
            place[last] = rng.choice(ODD)
        case "remove":
            del place[last]
        case "add" if isinstance(place, dict):
            place[rng.choice(["name", "zz", "inline", "count", "machines", ""])] = rng.choice(ODD)
    return data


def test_the_cluster_is_valid() -> None:
    assert parse_cluster({**VALID, "labels": {}}).name == "prod"


@pytest.mark.parametrize("seed", sample(range(40)))
def test_mutations_are_understood_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = set()
    reasons: list[str] = []
    for _ in range(150):
        data = mutated(rng)
        try:
            spec = parse_cluster(data)
        except InvalidCluster as error:
            reasons += [problem.reason for problem in error.problems]
            outcomes.add("refused")
        else:
            assert to_wire(parse_cluster(to_wire(spec))) == to_wire(spec)
            outcomes.add("understood")
    assert outcomes == {"refused", "understood"}
    assert all(reasons)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"labels": {"a": "\ud800"}}, "labels.a: contains invalid characters (lone surrogates)"),
        ({"patches": [{"name": "p", "inline": {"a": DEEP}}]}, "patches[0].inline: is nested more than 100 levels deep"),
    ],
)
def test_what_cannot_be_written_down_is_told(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidCluster) as caught:
        parse_cluster({"name": "prod", **data})

    assert str(caught.value) == reason
