"""The manifests in the configuration of a cluster's machines, and their objects in Kubernetes.

Talos creates missing objects and never changes them; only a sync through Omni does. For a sync nothing is downloaded: a
manifest by URL counts as one object, and as the same object if only the numbers in the URL differ.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import yaml

from ksail_pulumi.omni.api import management_pb2
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, LABEL_CLUSTER
from ksail_pulumi.simulator import goyaml
from ksail_pulumi.simulator.store import Event, Store

Response = management_pb2.KubernetesSyncManifestResponse


class BootstrapManifests:
    """The content with which the objects of each cluster were created or last synced."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._written: dict[str, list[str]] = {}
        self._objects: dict[str, dict[str, str]] = {}
        store.subscribe(self._saw)

    def sync(self, cluster: str, *, dry_run: bool, prune: bool) -> Iterator[Response]:
        """Change the objects that differ, and report each object; changed ones are rolled out last."""
        objects = self._created(cluster)
        patches = self._store.list(CONFIG_PATCH, {LABEL_CLUSTER: cluster})
        configured = {path: text for patch in patches for path, text in manifests_in(patch.spec.data)}
        changed = []
        for path, text in sorted(configured.items()):
            known = objects.get(path)
            if known != _digest(text):
                changed.append(path)
            yield Response(
                response_type=Response.MANIFEST,
                path=path,
                object=text.encode(),
                diff="" if path not in changed else f"--- a/{path}\n+++ b/{path}\n",
                skipped=path not in changed,
            )
        for path in sorted(objects.keys() - configured.keys()) if prune else ():
            yield Response(response_type=Response.MANIFEST, path=path, diff=f"--- a/{path}\n+++ /dev/null\n")
            if not dry_run:
                del objects[path]
        if not dry_run:
            objects |= {path: _digest(configured[path]) for path in changed}
            yield from (Response(response_type=Response.ROLLOUT, path=path) for path in changed)

    def _saw(self, event: Event) -> None:
        """Keep patches that may hold manifests; they are parsed when needed."""
        resource = event.resource
        if resource.type == CLUSTER and event.kind == "destroyed":
            with self._lock:
                self._written.pop(resource.id, None)
                self._objects.pop(resource.id, None)
        elif resource.type == CONFIG_PATCH and resource.cluster and "anifest" in resource.spec.data:
            with self._lock:
                self._written.setdefault(resource.cluster, []).append(resource.spec.data)

    def _created(self, cluster: str) -> dict[str, str]:
        """The objects of a cluster, including those that Talos created since the last call."""
        with self._lock:
            objects = self._objects.setdefault(cluster, {})
            written = self._written.pop(cluster, [])
        for text in written:
            for path, content in manifests_in(text):
                objects.setdefault(path, _digest(content))
        return objects


def manifests_in(patch: str) -> Iterator[tuple[str, str]]:
    """The objects in a patch: path and content."""
    for url, name, contents in _manifests(patch):
        if url:
            yield re.sub("[0-9]+", "", url), url
        else:
            yield from _paths_in(name, contents)


def created_by_talos(patch: str) -> Iterator[dict[str, Any]]:
    """The objects that Talos creates for a patch; of manifests by URL only if this machine serves them."""
    for url, _, contents in _manifests(patch):
        yield from objects_in(_downloaded(url) if url else contents)


@lru_cache(maxsize=256)
def objects_in(text: str) -> tuple[dict[str, Any], ...]:
    """The objects in a text, which must not be changed; none if it is not valid YAML."""
    try:
        documents = goyaml.load_all(text)
    except yaml.YAMLError:
        return ()
    return tuple(each for each in documents if isinstance(each, dict) and isinstance(each.get("metadata"), dict))


def _manifests(patch: str) -> Iterator[tuple[str, str, str]]:
    """The manifests in a patch: URL, or name and contents."""
    for document in goyaml.load_all(patch):
        content = document or {}
        cluster = content.get("cluster") or {}
        yield from ((url, "", "") for url in cluster.get("extraManifests") or ())
        for manifest in cluster.get("inlineManifests") or ():
            yield "", manifest.get("name") or "", manifest.get("contents") or ""
        match content.get("kind"):
            case "KubeExternalManifestConfig":
                yield content.get("url") or "", "", ""
            case "KubeInlineManifestConfig":
                yield "", content.get("name") or "", content.get("manifest") or ""


@lru_cache(maxsize=64)
def _downloaded(url: str) -> str:
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        return ""
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310 - http on this machine
            return str(response.read().decode())
    except (OSError, ValueError):
        return ""


def _paths_in(name: str, contents: str) -> Iterator[tuple[str, str]]:
    try:
        for each in goyaml.load_all(contents):
            metadata = each["metadata"]
            place = (each["apiVersion"], each["kind"], metadata.get("namespace", ""), metadata["name"])
            yield "/".join(filter(None, place)), yaml.safe_dump(each)
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        yield name, contents  # not objects: Talos reports and ignores them


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
