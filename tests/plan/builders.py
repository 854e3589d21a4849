"""Resources of an imagined Omni."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ksail_pulumi.addons.groups import addon_groups
from ksail_pulumi.model.parse import ClusterSpec, parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import Assignment, assign_machines
from ksail_pulumi.plan.observe import observe
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.plan.refresh import refreshed_inputs
from tests.published import manifest, texts

MANIFESTS = {**texts(), "https://example.org/manifest.yaml": manifest("own", "1.0.0")}
"""The manifests of add-ons, by URL."""

MARK = OwnershipMark("acme/shop/dev/prod")
TALOS, KUBERNETES = "1.13.8", "1.36.3"
VERSIONS = Versions(TALOS, KUBERNETES)
FREE = ("available", "connected", "ready-to-use", "reporting-events", "installed")


def machine_id(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def machine(
    number: int,
    *,
    without: Sequence[str] = (),
    talos: str = TALOS,
    cluster: str = "",
    labels: Mapping[str, str] | None = None,
    agent: bool = False,
) -> Resource:
    """A `MachineStatus`; free and ready unless said otherwise."""
    presence = {
        omni.PREFIX + name: "" for name in FREE if name not in without and not (cluster and name == "available")
    }
    version = {omni.LABEL_TALOS_VERSION: f"v{talos}"} if talos else {}
    allocated = {omni.LABEL_CLUSTER: cluster} if cluster else {}
    spec = specs_pb2.MachineStatusSpec(talos_version=f"v{talos}" if talos else "", cluster=cluster)
    spec.network.hostname = f"host-{number}"
    spec.schematic.in_agent_mode = agent
    return Resource(
        omni.MACHINE_STATUS, machine_id(number), spec, {**presence, **version, **allocated, **(labels or {})}
    )


def pool(size: int) -> list[Resource]:
    return [machine(number) for number in range(1, size + 1)]


def node(
    number: int,
    set_id: str,
    *,
    cluster: str = "prod",
    mark: OwnershipMark | None = MARK,
    age: int = 0,
    locked: bool = False,
    by_class: bool = False,
    phase: str = omni.RUNNING,
) -> Resource:
    """A `MachineSetNode` that is `age` minutes old."""
    role = omni.LABEL_CONTROL_PLANE if set_id.endswith("-control-planes") else omni.LABEL_WORKER
    labels = {omni.LABEL_CLUSTER: cluster, omni.LABEL_MACHINE_SET: set_id, role: ""}
    annotations = {**(mark.annotations() if mark else {}), **({omni.ANNOTATION_LOCKED: ""} if locked else {})}
    return Resource(
        omni.MACHINE_SET_NODE,
        machine_id(number),
        specs_pb2.MachineSetNodeSpec(),
        {**labels, **({omni.LABEL_MANAGED_NODE: ""} if by_class else {})},
        annotations,
        version=1,
        phase=phase,
        created=datetime(2026, 1, 1, tzinfo=UTC) - timedelta(minutes=age),
    )


def talos_version(
    version: str, *kubernetes: str, deprecated: bool = False, unsupported: bool = False, upgradable: Sequence[str] = ()
) -> Resource:
    spec = specs_pb2.TalosVersionSpec(
        version=version,
        compatible_kubernetes_versions=kubernetes,
        deprecated=deprecated,
        unsupported=unsupported,
        upgradable_talos_versions=upgradable,
    )
    return Resource(omni.TALOS_VERSION, version, spec, owner="VersionsController")


CATALOG = [
    talos_version("1.8.4", "1.31.4", deprecated=True),
    talos_version("1.12.11", "1.34.8", "1.35.7", upgradable=("1.13.7", "1.13.8")),
    talos_version("1.13.7", "1.35.7", "1.36.3", upgradable=("1.12.11", "1.13.8")),
    talos_version("1.13.8", "1.34.8", "1.35.6", "1.35.7", "1.36.2", "1.36.3", "1.37.0-beta.1", upgradable=("1.13.7",)),
    talos_version("1.14.0-beta.0", "1.36.3", "1.37.0"),
    talos_version("1.15.0", "1.37.0", unsupported=True),
]


def cluster_spec(**inputs: Any) -> ClusterSpec:
    """A spec of cluster `prod` from inputs in wire names."""
    return parse_cluster({"name": "prod", **inputs})


def assigned(spec: ClusterSpec, statuses: Sequence[Resource] | None = None) -> Assignment:
    return assign_machines(spec, pool(9) if statuses is None else statuses, [], versions=VERSIONS)


def inputs_of(
    resources: Sequence[Resource], *, mark: OwnershipMark | None = None, previous: ClusterSpec | None = None
) -> dict[str, Any]:
    """The inputs of a live cluster, as a refresh of `previous` shows them, or as they are read without a state."""
    if previous is not None:
        return refreshed_inputs(resources, to_wire(previous), previous, mark)
    return to_wire(observe([each for each in resources if mark is None or mark.owns(each)]))


def desired(
    spec: ClusterSpec,
    assignment: Assignment | None = None,
    versions: Versions = VERSIONS,
    *,
    actual: Sequence[Resource] = (),
) -> list[Resource]:
    keep = spec.on_update.custom_resource_definitions == "keep"
    groups = addon_groups(spec.addons, spec.name, MANIFESTS, actual, keep_definitions=keep)
    return desired_resources(spec, versions, assignment or assigned(spec), MARK, groups=groups)
