"""What Omni can store, known before anything is written."""

from __future__ import annotations

import base64
import random
import time
from typing import Any

import pytest

from ksail_pulumi.omni.resources import MOST_STORED_BYTES, stored_bytes
from ksail_pulumi.plan.limits import measured, oversized, oversized_together, refused_resources

from .builders import cluster_spec, desired, machine_id


def incompressible(size: int, seed: int = 1) -> str:
    """Base64 of random bytes: three quarters of it are left when it is compressed."""
    return base64.b64encode(random.Random(seed).randbytes(size * 3 // 4)).decode()


def patch(content: str, name: str = "a") -> dict[str, Any]:
    return {"name": name, "inline": f"debug: true # {content}\n"}


def test_a_patch_is_measured_as_omni_compresses_it() -> None:
    """A real Omni refused 5,100,000 bytes like these: "larger than max (3825208 vs. 2097152)"."""
    size = stored_bytes(incompressible(5_100_000).encode())
    assert size == pytest.approx(3_825_208, rel=0.02)
    assert stored_bytes(b"# long\n" * 1_000_000) < 1000
    assert stored_bytes(b"small") == 5


def test_what_repeats_far_away_is_counted_once() -> None:
    block = incompressible(1_500_000)
    assert stored_bytes(f"{block}\n{block}\n{block}\n".encode()) < MOST_STORED_BYTES


def test_measuring_takes_no_time_that_matters() -> None:
    data = incompressible(20_000_000).encode()
    began = time.process_time()
    stored_bytes(data)
    assert time.process_time() - began < 5


def test_each_text_that_is_too_large_is_named() -> None:
    large, small = incompressible(3_000_000), "a" * 3_000_000
    manifest = f"kind: ConfigMap # {large}\n"
    spec = cluster_spec(
        patches=[patch(small), patch(large, "b")],
        controlPlane={"machines": [machine_id(1)], "patches": [patch(large)]},
        workers=[{"machines": [machine_id(2)], "patches": [patch(large)]}],
        machines={machine_id(2): {"patches": [patch(large)]}},
        manifests=[{"name": "a", "mode": "full", "inline": manifest}],
        healthChecks=[{"name": "a", "job": manifest}],
    )
    found = {problem.field: problem.reason for problem in oversized(measured(spec))}
    assert list(found) == [
        "patches[1].inline",
        "controlPlane.patches[0].inline",
        "workers[0].patches[0].inline",
        f"machines.{machine_id(2)}.patches[0].inline",
        "manifests[0].inline",
        "healthChecks[0].job",
    ]
    assert all("bytes when compressed, and Omni can store at most 2097152" in reason for reason in found.values())


def test_patches_that_are_too_large_only_together_are_named_by_their_set() -> None:
    content = incompressible(1_500_000)
    spec = cluster_spec(patches=[patch(content)], workers=[{"patches": [patch(content, "b")]}])
    sizes = measured(spec)
    assert list(oversized(sizes)) == []
    (line,) = oversized_together(spec, sizes)
    assert line.startswith("the patches for a machine of prod-workers have 3000030 bytes together when compressed")
    of_machines = {"machines": {machine_id(1): {"patches": [patch(content)]}, machine_id(2): {"patches": [patch("")]}}}
    members: dict[str, Any] = {
        "controlPlane": {"machines": [machine_id(1)]},
        "workers": [{"machines": [machine_id(2)]}],
    }
    members["workers"][0]["patches"] = [patch(content)]
    spec = cluster_spec(**of_machines, **members)
    assert list(oversized_together(spec, measured(spec))) == []


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (
            {"controlPlane": {"labels": {f"l{number}": "" for number in range(255)}}},
            "MachineSets.omni.sidero.dev prod-control-planes: too many labels: 257 (max 256)",
        ),
        (
            {"patches": [{**patch("a"), "description": "two\nlines"}]},
            "ConfigPatches.omni.sidero.dev 200-cluster-prod-a: annotation description must not contain control "
            "characters or line breaks",
        ),
        (
            {"patches": [patch("a", "a" * 1100)]},
            f"ConfigPatches.omni.sidero.dev …{'a' * 59}: resource ID is too long: 1117 bytes (max 1024)",
        ),
    ],
)
def test_the_metadata_of_each_resource_is_checked(inputs: dict[str, Any], reason: str) -> None:
    (found,) = {str(problem) for problem in refused_resources(desired(cluster_spec(**inputs)))}
    assert found == reason


def test_each_resource_is_measured_as_a_whole() -> None:
    notes = {f"note-{number}": incompressible(16_000, number) for number in range(200)}
    (found,) = refused_resources(desired(cluster_spec(annotations=notes)))
    assert str(found).startswith("Clusters.omni.sidero.dev prod: it is too large: ")
