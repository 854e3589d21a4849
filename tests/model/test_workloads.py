"""Manifests and health checks that Omni would refuse, and metadata beyond its limits."""

from __future__ import annotations

from typing import Any

import pytest

from ksail_pulumi.model.parse import InvalidCluster, parse_cluster

JOB = {"apiVersion": "batch/v1", "kind": "Job"}


def problems(**inputs: Any) -> list[str]:
    try:
        parse_cluster({"name": "c", **inputs})
    except InvalidCluster as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("inline", "number"),
    [
        ({"foo": "bar"}, 1),
        ("foo: bar\n", 1),
        ("kind: A\n---\n# nothing\n---\nkind: ''\n", 3),
        ([{"kind": "A"}, {"kind": None}], 2),
        ([{"kind": "A"}, None], 2),
    ],
)
def test_a_manifest_without_kind_is_refused(inline: Any, number: int) -> None:
    assert problems(manifests=[{"name": "m", "mode": "full", "inline": inline}]) == [
        "manifests[0].inline: error loading JSON manifest into unstructured: Object 'Kind' is missing in document "
        f"{number}"
    ]


@pytest.mark.parametrize("inline", ["", "# nothing\n", "kind: A\n---\n", {"kind": "A"}])
def test_a_manifest_with_kinds_or_nothing_is_accepted(inline: Any) -> None:
    assert problems(manifests=[{"name": "m", "mode": "full", "inline": inline}]) == []


@pytest.mark.parametrize("kind", ["label", "annotation"])
def test_metadata_has_omnis_limits(kind: str) -> None:
    def said(entries: dict[str, str]) -> list[str]:
        return problems(controlPlane={f"{kind}s": entries})

    assert said({f"k{number}": "" for number in range(256)}) == []
    assert said({f"k{number}": "" for number in range(257)}) == [
        f"controlPlane.{kind}s: too many {kind}s: 257 (max 256)"
    ]
    assert said({"k" * 1024: "v" * 16 * 1024}) == []
    assert said({"": "x"}) == [f'controlPlane.{kind}s[""]: {kind} key must not be empty']
    assert said({"k": "v" * (16 * 1024 + 1)}) == [
        f"controlPlane.{kind}s.k: {kind} value is too long: 16385 bytes (max 16384)"
    ]
    assert f"{kind} key is too long: 1025 bytes (max 1024)" in said({"k" * 1025: ""})[0]
