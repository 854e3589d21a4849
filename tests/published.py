"""Manifests of add-ons for tests: in the cache folder as if they had been fetched, or from a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ksail_pulumi.addons.catalogue import published
from ksail_pulumi.addons.patches import APPROVER_VERSION
from ksail_pulumi.lifecycle.upstream import cache_file
from ksail_pulumi.model.addons import VERSIONS
from tests.web import listening

_MORE = {
    "cert-manager": ("1.17.0", "1.20.0", "1.20.2", "1.21.0"),
    "kyverno": ("1.18.2",),
    "gatekeeper": ("3.22.0",),
    "flux": ("2.9.0",),
    "argocd": ("3.4.0",),
    "metrics-server": ("0.8.1",),
}
PROJECTS = ("metrics-server", "cert-manager", "kyverno", "gatekeeper", "flux", "argocd")


def manifest(name: str, version: str, *, defines: bool = True) -> str:
    """A small manifest: a namespace, settings with the version, and a definition unless it is left out."""
    namespace = "" if name == "argocd" else f"\n  namespace: {name}"
    definition = f"""
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.{name}.example.org
  labels: {{version: v{version}}}
spec:
  group: {name}.example.org
  names: {{kind: Thing, plural: things}}
  scope: Namespaced
  versions: [{{name: v1}}]
"""
    return f"""# The manifest of {name}
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}{namespace}
data:
  version: v{version}
{definition if defines else ""}"""


def texts() -> dict[str, str]:
    """The manifests of releases, by URL."""
    projects = {name: (VERSIONS[name], *_MORE.get(name, ())) for name in PROJECTS}
    return {
        url: manifest(name, version, defines=name not in ("metrics-server", "kubelet-serving-cert-approver"))
        for name, versions in {**projects, "kubelet-serving-cert-approver": (APPROVER_VERSION,)}.items()
        for version in versions
        for url in published(name, version)
    }


def fill_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the manifests of releases be in the cache folder, which is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    for url, text in texts().items():
        file = cache_file(url)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@contextmanager
def serving(pages: dict[str, str]) -> Iterator[str]:
    """A server of manifests, by path; they may change while it runs. Its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.get(self.path)
            body = (found or "").encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with listening(Handler) as url:
        yield url
