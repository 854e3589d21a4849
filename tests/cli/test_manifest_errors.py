"""What `status`, `diagnose` and `info` show of manifests that Omni cannot apply."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.omni.api.specs_pb2 import KubernetesManifestGroupSpec
from ksail_pulumi.omni.resources import (
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    KUBERNETES_MANIFEST_GROUP,
    LABEL_CLUSTER,
    Resource,
)
from ksail_pulumi.omni.watch import Query

from .clusters import client_of, shop, use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.simulator.server import Simulator

BAD = "kind: Service\napiVersion: v1\nmetadata: {name: bad, namespace: default}\nspec: {ports: [{port: 99999}]}\n"
LOST = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: lost, namespace: nowhere}\n"


@pytest.fixture(scope="module")
def omni() -> Iterator[Simulator]:
    with shop(machines=1) as omni:
        yield omni


@contextmanager
def manifest(omni: Simulator, text: str) -> Iterator[None]:
    """A group of manifests of the cluster, once Omni reports its error."""
    client = client_of(omni)
    spec = KubernetesManifestGroupSpec(data=text, mode=KubernetesManifestGroupSpec.FULL)
    client.state.create(Resource(KUBERNETES_MANIFEST_GROUP, "400-cluster-shop-web", spec, {LABEL_CLUSTER: "shop"}))
    wait_for_error(omni, there=True)
    try:
        yield
    finally:
        client.state.teardown(KUBERNETES_MANIFEST_GROUP, "400-cluster-shop-web")
        wait_for_error(omni, there=False)


def wait_for_error(omni: Simulator, *, there: bool) -> None:
    with client_of(omni).state.watch(Query(CLUSTER_KUBERNETES_MANIFESTS_STATUS, id="shop")) as watch:
        while (event := watch.next(timeout=60)) is not None:
            if event.resource is not None and bool(event.resource.spec.last_error) == there:
                return
    raise AssertionError("the error of manifests does not change")


def test_the_object_that_cannot_be_applied_is_named(omni, monkeypatch, capsys):
    use(monkeypatch, omni, "Reader")
    error = (
        "Omni cannot apply Service/default/bad of manifest group 400-cluster-shop-web, and nothing else until that is "
        "fixed (`omnictl get ClusterKubernetesManifestsStatuses.omni.sidero.dev shop -o yaml` shows why)"
    )
    with manifest(omni, BAD):
        assert main(["status", "shop"]) == 3
        shown = f"shop is not healthy: 1/1 machines running, control plane ready, {error}"
        assert capsys.readouterr().out.splitlines()[0] == shown
        assert main(["diagnose", "shop"]) == 3
        assert capsys.readouterr().out.splitlines()[0] == shown
        assert main(["info", "shop"]) == 0
        assert f"\nManifests:       {error}\n" in capsys.readouterr().out
        assert main(["info", "shop", "--output", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["manifestsError"] == error


def test_an_error_that_names_no_object_is_shown_with_those_that_are_not_applied(omni, monkeypatch, capsys):
    use(monkeypatch, omni)
    with manifest(omni, LOST):
        assert main(["status", "shop"]) == 3
        shown = capsys.readouterr().out.splitlines()[0]
        assert "Omni cannot apply ConfigMap/nowhere/lost of manifest group 400-cluster-shop-web, and nothing" in shown


def test_an_omni_that_has_no_status_of_manifests_is_shown_without(omni, monkeypatch, capsys):
    use(monkeypatch, omni)
    omni.faults.missing_types.add(CLUSTER_KUBERNETES_MANIFESTS_STATUS.name)
    try:
        for command in (["status", "shop"], ["status", "shop", "--watch"], ["diagnose", "shop"], ["info", "shop"]):
            assert main(command) == 0
    finally:
        omni.faults.missing_types.clear()
    assert "Manifests:" not in capsys.readouterr().out
