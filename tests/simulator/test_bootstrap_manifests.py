"""The manifests of a cluster: Talos creates what is missing, a sync through Omni changes the rest."""

from __future__ import annotations

from typing import Any

import pytest

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, LABEL_CLUSTER, Resource
from ksail_pulumi.simulator.bootstrap_manifests import BootstrapManifests, manifests_in
from ksail_pulumi.simulator.clock import ManualClock
from ksail_pulumi.simulator.store import Store

INLINE = """\
cluster:
  inlineManifests:
    - name: settings
      contents: |
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: colours, namespace: shop}
        data: {first: VALUE}
"""
BY_URL = "cluster:\n  extraManifests: [https://example.org/v1.2.3/all.yaml]\n"
CONFIG_MAP = "v1/ConfigMap/shop/colours"


@pytest.fixture
def store() -> Store:
    return Store(ManualClock().now)


@pytest.fixture
def manifests(store: Store) -> BootstrapManifests:
    return BootstrapManifests(store)


def write(store: Store, name: str, text: str) -> None:
    store.put(Resource(CONFIG_PATCH, name, specs_pb2.ConfigPatchSpec(data=text), {LABEL_CLUSTER: "web"}))


def sync(manifests: BootstrapManifests, *, dry_run: bool = False, prune: bool = False) -> dict[str, list[str]]:
    """What a sync says, by what it says of it."""
    said: dict[str, list[str]] = {"same": [], "changed": [], "rolled out": []}
    for each in manifests.sync("web", dry_run=dry_run, prune=prune):
        kind = "rolled out" if each.response_type == each.ROLLOUT else "same" if each.skipped else "changed"
        said[kind].append(each.path)
    return said


def test_what_is_new_is_created_by_talos(store: Store, manifests: BootstrapManifests) -> None:
    write(store, "inline", INLINE)
    write(store, "url", BY_URL)
    said = sync(manifests)
    assert said["same"] == ["https://example.org/v../all.yaml", CONFIG_MAP, "v1/Namespace/shop"]
    assert said["changed"] == said["rolled out"] == []


def test_what_is_changed_waits_for_a_sync(store: Store, manifests: BootstrapManifests) -> None:
    write(store, "inline", INLINE)
    write(store, "inline", INLINE.replace("VALUE", "green"))
    assert sync(manifests, dry_run=True) == {"same": ["v1/Namespace/shop"], "changed": [CONFIG_MAP], "rolled out": []}
    assert sync(manifests)["rolled out"] == [CONFIG_MAP]
    assert sync(manifests)["changed"] == []


def test_another_version_by_url_is_a_change(store: Store, manifests: BootstrapManifests) -> None:
    write(store, "url", BY_URL)
    write(store, "url", BY_URL.replace("1.2.3", "1.10.0"))
    assert sync(manifests)["changed"] == ["https://example.org/v../all.yaml"]


def test_what_is_gone_from_the_configuration_stays_unless_it_is_pruned(
    store: Store, manifests: BootstrapManifests
) -> None:
    write(store, "inline", INLINE)
    store.teardown(CONFIG_PATCH, "inline")
    store.destroy(CONFIG_PATCH, "inline")
    assert sync(manifests)["changed"] == []
    assert sync(manifests, prune=True)["changed"] == [CONFIG_MAP, "v1/Namespace/shop"]
    assert sync(manifests, prune=True)["changed"] == []


def test_a_new_cluster_of_the_same_name_knows_nothing_of_the_old(store: Store, manifests: BootstrapManifests) -> None:
    write(store, "inline", INLINE)
    store.put(Resource(CLUSTER, "web", specs_pb2.ClusterSpec()))
    store.teardown(CLUSTER, "web")
    store.destroy(CLUSTER, "web")
    assert sync(manifests)["changed"] == [CONFIG_MAP, "v1/Namespace/shop"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("", []),
        ("machine: {}\n---\ncluster: {extraManifests: []}", []),
        ("cluster: {inlineManifests: [{name: odd, contents: 'a: [b'}]}", ["odd"]),
        ("cluster: {inlineManifests: [{name: odd, contents: just text}]}", ["odd"]),
        ("cluster: {inlineManifests: [{name: odd, contents: 'metadata: a'}]}", ["odd"]),
        ("cluster: {inlineManifests: [{name: deep, contents: '" + "[" * 200_000 + "'}]}", ["deep"]),
        ("cluster: {inlineManifests: [{name: odd}]}", []),
    ],
    ids=["nothing", "no manifests", "no YAML", "no object", "half an object", "too deep", "no contents"],
)
def test_what_is_no_manifest_is_no_trouble(text: str, paths: Any) -> None:
    assert [path for path, _ in manifests_in(text)] == paths
