"""The files of a new project: a Pulumi program, ksail.yaml and folders for Talos patches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.ksail.file import check_name
from ksail_pulumi.formats.ksail.patches import SCOPES
from ksail_pulumi.omni.endpoint import normalise_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_NODES = 2**31 - 1
"""KSail reads numbers of nodes as int32."""

_PROGRAM = '''\
"""The cluster that ksail.yaml describes, on Sidero Omni."""

import pulumi

from ksail_pulumi import OmniCluster

cluster = OmniCluster.from_ksail("ksail.yaml")

pulumi.export("name", cluster.name)
pulumi.export("phase", cluster.phase)
pulumi.export("nodes", cluster.nodes.apply(lambda nodes: {node["hostname"]: node["role"] for node in nodes}))
pulumi.export("kubeconfig", cluster.kubeconfig)
'''

_CLUSTER = "A Talos Kubernetes cluster on Sidero Omni"

_STACK = """\
# The settings of this stack, written by `pulumi config set`.
config: {}
#  omni:endpoint: https://<account>.omni.siderolabs.io:443
#  omni:serviceAccountKey: pulumi config set --secret omni:serviceAccountKey
"""

_ALLOW_SCHEDULING = """\
# No workers: allow workloads on the control plane nodes.
cluster:
  allowSchedulingOnControlPlanes: true
"""


_TEMPLATE = """\
template:
  displayName: Talos cluster on Omni
  description: A Talos Kubernetes cluster on Sidero Omni, described by ksail.yaml
  config:
    omni:endpoint:
      description: Your Omni, like https://<account>.omni.siderolabs.io:443
    omni:serviceAccountKey:
      description: The key of a service account of that Omni
      secret: true
"""


@dataclass(frozen=True)
class Project:
    """The settings of a new project.

    Attributes:
        name: The name of the cluster and of the Pulumi project.
        control_planes: The number of control plane nodes.
        workers: The number of workers.
        endpoint: URL of the Omni; `""`: from `OMNI_ENDPOINT` or the stack configuration.
        stack: Name of the first stack.
        virtualenv: Path of the virtual environment to run in; `""` for the `python` on PATH.
        requirement: What requirements.txt installs this package from.
    """

    name: str
    control_planes: int = 1
    workers: int = 0
    endpoint: str = ""
    stack: str = "dev"
    virtualenv: str = ""
    requirement: str = "ksail-pulumi"


def check_project(project: Project) -> None:
    """Refuse what the reader of `ksail.yaml` would refuse later.

    Raises:
        InputError: The name is not valid, or a number of nodes.
        SettingsError: The endpoint is not valid.
    """
    try:
        check_name(project.name)
    except ValueError as error:
        raise InputError("--name", str(error)) from None
    for option, least, number in (("--control-planes", 1, project.control_planes), ("--workers", 0, project.workers)):
        if not least <= number <= MOST_NODES:
            raise InputError(option, f"should be a number from {least} to {MOST_NODES}")
    if project.endpoint:
        normalise_endpoint(project.endpoint)


def program_files(project: Project, program: str) -> dict[str, str]:
    """The files by path of a project whose cluster is in its program; the stack names the Omni."""
    stack = f"config:\n  omni:endpoint: {json.dumps(project.endpoint)}\n"
    return _pulumi_files(project, _CLUSTER, stack, program)


def _pulumi_files(project: Project, description: str, stack: str, program: str) -> dict[str, str]:
    return {
        "Pulumi.yaml": _pulumi_yaml(project, description),
        f"Pulumi.{project.stack}.yaml": stack,
        "__main__.py": program,
        "requirements.txt": f"{project.requirement}\n",
    }


def project_files(project: Project) -> dict[str, str]:
    """The files of a project by path."""
    files = _pulumi_files(project, f"{_CLUSTER}, described by ksail.yaml", _STACK, _PROGRAM)
    files["ksail.yaml"] = _ksail_yaml(project)
    for scope in SCOPES:
        if scope == "cluster" and not project.workers:
            files[f"talos/{scope}/allow-scheduling-on-control-planes.yaml"] = _ALLOW_SCHEDULING
        else:
            files[f"talos/{scope}/.gitkeep"] = ""
    return files


def template_files() -> dict[str, str]:
    """The same files as a template for `pulumi new`, which replaces `${PROJECT}` by the project name."""
    files = project_files(Project(name="${PROJECT}", control_planes=1, workers=2))
    # `pulumi new` makes the file of the stack from the answers.
    del files["Pulumi.dev.yaml"]
    files["Pulumi.yaml"] = f"{files['Pulumi.yaml']}{_TEMPLATE}"
    return files


def write_files(files: Mapping[str, str], folder: Path, *, force: bool = False) -> dict[str, bool]:
    """Write files into a folder; existing ones only with `force`.

    Returns:
        For each path whether it was written; False: an existing file was kept.

    Raises:
        InputError: A file cannot be written.
    """
    written = {}
    for name, text in files.items():
        path = folder / name
        written[name] = force or not path.exists()
        if not written[name]:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise InputError(str(path), f"cannot write the file: {error.strerror}") from None
    return written


def _pulumi_yaml(project: Project, description: str) -> str:
    lines = [
        f"name: {project.name}",
        f"description: {description}",
        "runtime:",
        "  name: python",
    ]
    if project.virtualenv:
        # JSON strings are YAML strings, whatever characters a path has.
        lines += ["  options:", f"    virtualenv: {json.dumps(project.virtualenv)}"]
    return "\n".join(lines) + "\n"


def _ksail_yaml(project: Project) -> str:
    endpoint = json.dumps(project.endpoint or "https://<account>.omni.siderolabs.io:443")
    comment = "" if project.endpoint else "# "
    return f"""\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata:
  name: {project.name}
spec:
  cluster:
    distribution: Talos
    provider: Omni
    controlPlanes: {project.control_planes}
    workers: {project.workers}
  provider:
    omni:
      # The URL of your Omni. The environment variable OMNI_ENDPOINT takes precedence.
      {comment}endpoint: {endpoint}
      # The environment variable that holds the service account key.
      # serviceAccountKeyEnvVar: "OMNI_SERVICE_ACCOUNT_KEY"
"""
