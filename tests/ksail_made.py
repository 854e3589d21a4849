"""A cluster the way KSail makes it: with omnictl's template code, and so with other marks, numbers and layout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import ANNOTATION_MANAGED_BY_TEMPLATES, TALOS_VERSION
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import Assignment
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.versions import resolve_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ksail_pulumi.omni.client import Client

KSAIL_YAML = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata: {{name: {name}}}
spec:
  cluster:
    distribution: Talos
    provider: Omni
    controlPlanes: 1
    workers: 1
    metricsServer: Enabled
  provider:
    omni:
      machines: [{machines}]
"""

# `ksail project init` writes the first two for its metrics-server. KSail numbers all three.
PATCHES = {
    "cluster/kubelet-cert-rotation.yaml": """\
# Certificates that the control plane signs.
machine:
  kubelet:
    extraArgs:
      rotate-server-certificates: "true"
""",
    "cluster/kubelet-csr-approver.yaml": """\
cluster:
  inlineManifests:
    - name: kubelet-csr-approver
      contents: |
        apiVersion: v1
        kind: Namespace
        metadata:
          name: kubelet-csr-approver
""",
    "cluster/sysctls.yaml": """\
machine:
  sysctls:
    net.core.somaxconn: "1024"
""",
    "workers/labels.yaml": """\
machine:
  nodeLabels:
    tier: apps
""",
}


def write_project(folder: Path, name: str, machines: Sequence[str]) -> None:
    """A KSail project with one control plane machine and one worker."""
    (folder / "ksail.yaml").write_text(KSAIL_YAML.format(name=name, machines=", ".join(machines)))
    for place, text in PATCHES.items():
        path = folder / "talos" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def create_with_ksail(client: Client, folder: Path, name: str, machines: Sequence[str]) -> None:
    """Make the resources of the cluster of such a project, as KSail does."""

    def patches(scope: str) -> list[dict[str, Any]]:
        files = sorted((folder / "talos" / scope).glob("*.yaml"))
        return [{"name": file.stem, "inline": yaml.safe_load(file.read_text())} for file in files]

    spec = parse_cluster(
        {
            "name": name,
            "patches": patches("cluster"),
            "controlPlane": {"machines": [machines[0]], "patches": patches("control-planes")},
            "workers": [{"machines": [machines[1]], "patches": patches("workers")}],
        }
    )
    versions = resolve_versions(None, None, client.state.list(TALOS_VERSION))
    assignment = Assignment({f"{name}-control-planes": (machines[0],), f"{name}-workers": (machines[1],)})
    mark = OwnershipMark("")
    for each in desired_resources(spec, versions, assignment, mark):
        annotations = {key: value for key, value in each.annotations.items() if key not in mark.annotations()}
        client.state.create(replace(each, annotations={**annotations, ANNOTATION_MANAGED_BY_TEMPLATES: ""}))
