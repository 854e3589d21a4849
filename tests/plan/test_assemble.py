"""Inputs and the resources that omnictl makes of the same cluster, pair by pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ksail_pulumi.model.parse import parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import assign_machines
from ksail_pulumi.plan.ownership import OwnershipMark

from .builders import MARK, cluster_spec, desired, inputs_of, machine_id
from .rendering import by_type, rendered

PAIRS = sorted(path.stem for path in (Path(__file__).parent / "data").glob("*.yaml"))


def pair(name: str) -> tuple[dict[str, Any], int, list[dict[str, Any]]]:
    """The inputs, Omni's API version and the resources without the mark."""
    text = (Path(__file__).parent / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    head, *resources = yaml.safe_load_all(text)
    return head["inputs"], head.get("apiVersion", 3), resources


def resources_of(inputs: dict[str, Any], api_version: int = 3, **options: Any) -> list[Resource]:
    spec = parse_cluster(inputs)
    versions = Versions(spec.talos_version or "", spec.kubernetes_version or "")
    assignment = assign_machines(spec, [], [], versions=versions)
    return desired_resources(spec, versions, assignment, MARK, api_version=api_version, **options)


def unmarked(resource: Resource) -> dict[str, Any]:
    document = rendered(resource)
    annotations = document["metadata"].pop("annotations")
    rest = {key: value for key, value in annotations.items() if key not in MARK.annotations()}
    return {**document, "metadata": {**document["metadata"], **({"annotations": rest} if rest else {})}}


@pytest.mark.parametrize("name", PAIRS)
def test_the_resources_are_those_that_omnictl_makes(name: str) -> None:
    inputs, api_version, resources = pair(name)

    assert by_type([unmarked(each) for each in resources_of(inputs, api_version)]) == by_type(resources)


@pytest.mark.parametrize("name", PAIRS)
def test_the_resources_read_back_are_the_inputs(name: str) -> None:
    inputs, api_version, _ = pair(name)
    spec = parse_cluster(inputs)
    live = resources_of(inputs, api_version)

    assert inputs_of(live, mark=MARK, previous=spec) == to_wire(spec)
    again = resources_of(inputs_of(live), api_version)
    assert sorted(again, key=lambda each: str(each)) == sorted(live, key=lambda each: str(each))


def test_every_resource_carries_the_mark() -> None:
    for name in PAIRS:
        inputs, api_version, _ = pair(name)
        for resource in resources_of(inputs, api_version):
            assert MARK.owns(resource)
            assert resource.annotations["omni.sidero.dev/managed-by-gitops-tools"] == "Pulumi"


def test_a_mark_tells_its_resource_from_anothers() -> None:
    (cluster, *_) = desired(cluster_spec())

    assert OwnershipMark.owner_of(cluster) == "acme/shop/dev/prod"
    assert not OwnershipMark("acme/shop/prod/prod").owns(cluster)


def test_a_bootstrapped_cluster_is_not_restored_again() -> None:
    inputs, api_version, _ = pair("bootstrap")
    live = resources_of(inputs, api_version, bootstrapped=True)

    assert not any(each.spec.HasField("bootstrap_spec") for each in live if each.id == "edge-control-planes")
    assert inputs_of(live, previous=parse_cluster(inputs)) == inputs, "the inputs keep it, as it says how it came to be"


def test_a_described_machine_that_is_in_no_set_has_no_resources() -> None:
    spec = cluster_spec(machines={machine_id(99): {"kernelArgs": ["a"], "install": {"disk": "/dev/vda"}}})

    assert not [each for each in desired(spec) if machine_id(99) in each.id]
