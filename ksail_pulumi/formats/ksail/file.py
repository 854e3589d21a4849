"""The shape of ksail.yaml: what of KSail's `Cluster` acts on an Omni cluster, at both of the places it has had."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import MachineId
from ksail_pulumi.redaction import shown

# KSail's rule for cluster names (its pkg/apis/cluster/v1alpha1), stricter than Omni's own.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
MAX_NAME = 63


def check_name(name: str) -> str:
    """Refuse a cluster name that KSail does not take, with its texts.

    Raises:
        ValueError: It is too long or has other characters.
    """
    if len(name) > MAX_NAME:
        raise ValueError(f"cluster name is too long: it exceeds max {MAX_NAME} characters (got {len(name)})")
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f"cluster name is invalid: {shown(name)} must be DNS-1123 compliant (lowercase letters, numbers, and "
            "hyphens; must start with a letter; must not end with a hyphen)"
        )
    return name


def _whole_number(value: Any) -> Any:
    """Refuse what pydantic would bend into a number: `true`, `"2"`."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "")
    return value


Count = Annotated[int, Field(ge=0), BeforeValidator(_whole_number)]
Name = Annotated[
    str, AfterValidator(check_name), Field(json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME})
]


def _toggle(value: Any) -> Any:
    """KSail's switches take YAML's booleans too."""
    return {True: "Enabled", False: "Disabled"}.get(value, value) if isinstance(value, bool) else value


Switch = Annotated[
    Literal["Default", "Enabled", "Disabled"],
    BeforeValidator(_toggle, json_schema_input_type=Literal["Default", "Enabled", "Disabled"] | bool),
]
SwitchWithoutDefault = Annotated[
    Literal["Enabled", "Disabled"],
    BeforeValidator(_toggle, json_schema_input_type=Literal["Enabled", "Disabled"] | bool),
]

WITHOUT_EFFECT = "without effect"
Idle = Annotated[Any, WITHOUT_EFFECT]
"""A field that KSail has and that does nothing for a cluster on Omni: it may stand, and its user is told."""

Other = Any
"""A part that is about something else than an Omni cluster, and is none of our business."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


class Omni(_Part):
    """`spec.provider.omni`, at first `spec.cluster.omni`.

    Attributes:
        endpoint: URL of the Omni, `https://<account>.omni.siderolabs.io:443`.
        endpoint_env_var: The environment variable that wins over `endpoint`, `OMNI_ENDPOINT` by default.
        service_account_key_env_var: The environment variable with the key, `OMNI_SERVICE_ACCOUNT_KEY` by default.
        talos_version: The version of Talos, with or without `v`; the newest that Omni supports by default.
        kubernetes_version: Likewise for Kubernetes.
        machine_class: The machine class that Omni takes the machines from.
        machines: The UUIDs of the machines, those of the control plane first; not together with a class.
    """

    endpoint: str | None = None
    endpoint_env_var: str | None = None
    service_account_key_env_var: str | None = None
    talos_version: str | None = None
    kubernetes_version: str | None = None
    machine_class: str | None = None
    machines: list[MachineId] | None = None


class Talos(_Part):
    """`spec.cluster.talos`: the node counts' first home; the rest concerns machines that KSail itself makes.

    Attributes:
        control_planes: The same as `spec.cluster.controlPlanes`.
        workers: The same as `spec.cluster.workers`.
    """

    control_planes: Count | None = None
    workers: Count | None = None
    version: Idle = None
    extensions: Idle = None
    config: Idle = None
    iso: Other = None
    schematic_id: Other = None
    extra_port_mappings: Other = None
    image_verification: Idle = None
    drain_timeout: Other = None
    storage_health_timeout: Other = None


class Connection(_Part):
    """`spec.cluster.connection`.

    Attributes:
        context: Names the cluster, as `admin@<cluster>`, where `metadata.name` does not.
    """

    context: str | None = None
    kubeconfig: Idle = None
    timeout: Other = None


class Cluster(_Part):
    """`spec.cluster`.

    Attributes:
        distribution: Talos is the only one on Omni.
        provider: Omni.
        distribution_config: The folder of Talos patches, `talos` by default.
        connection: How KSail reaches the cluster.
        control_planes: How many machines run the control plane, 1 by default.
        workers: How many machines run workloads, 0 by default.
        kubernetes_version: The version of Kubernetes, where `omni` has none.
        omni: The Omni, in its first home; `spec.provider.omni` is today's.
        talos: The node counts, in their first home.
        cni: The network plugin.
        csi: Storage for pods.
        metrics_server: Measures what pods and nodes use.
        cert_manager: Issues certificates.
        policy_engine: Checks what is created against policies.
        git_ops_engine: Keeps the cluster as a repository says.
    """

    distribution: Literal["Talos"] | None = None
    provider: Literal["Omni"] | None = None
    distribution_config: str | None = None
    connection: Connection | None = None
    control_planes: Count | None = None
    workers: Count | None = None
    kubernetes_version: str | None = None
    omni: Omni | None = None
    talos: Talos | None = None
    cni: Literal["Default", "Cilium", "Calico"] | None = None
    csi: Switch | None = None
    metrics_server: Switch | None = None
    cert_manager: SwitchWithoutDefault | None = None
    policy_engine: Literal["None", "Kyverno", "Gatekeeper"] | None = None
    git_ops_engine: Annotated[Literal["None", "Flux", "ArgoCD"] | None, Field(alias="gitOpsEngine")] = None
    cdi: Idle = None
    load_balancer: Idle = None
    local_registry: Idle = None
    autoscaler: Idle = None
    node_autoscaling: Idle = None
    import_images: Idle = None
    image_verification: Idle = None
    oidc: Idle = None
    sops: Other = None
    workload: Other = None
    vanilla: Other = None
    hetzner: Other = None
    eks: Other = None


class Provider(_Part):
    """`spec.provider`.

    Attributes:
        omni: The Omni, its machines and the versions.
    """

    omni: Omni | None = None
    docker: Other = None
    hetzner: Other = None
    kubernetes: Other = None
    aws: Other = None
    gcp: Other = None
    azure: Other = None


class Spec(_Part):
    """`spec`.

    Attributes:
        cluster: What the cluster is like.
        provider: Where it runs.
    """

    cluster: Cluster | None = None
    provider: Provider | None = None
    editor: Other = None
    workload: Other = None
    chat: Other = None


class Metadata(_Part):
    """`metadata`.

    Attributes:
        name: The cluster's name.
    """

    name: Name | None = None


class KsailFile(_Part):
    """A whole ksail.yaml.

    Attributes:
        api_version: `ksail.io/v1alpha1`.
        kind: `Cluster`.
        metadata: The cluster's name.
        spec: The cluster.
    """

    api_version: Literal["ksail.io/v1alpha1"] | None = None
    kind: Literal["Cluster"] | None = None
    metadata: Metadata | None = None
    spec: Spec | None = None


def idle_fields(part: BaseModel, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of the fields that are set and do nothing here; what is switched off does nothing anywhere."""
    found = []
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        place = (*path, info.alias or name)
        if isinstance(value, BaseModel):
            found += idle_fields(value, place)
        elif WITHOUT_EFFECT in info.metadata and value not in (None, "", False, "Default", "Disabled"):
            found.append(place)
    return found
