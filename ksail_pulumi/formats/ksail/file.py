"""The schema of ksail.yaml: the parts of KSail's `Cluster` that apply to Omni, at their current and former places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import MachineId
from ksail_pulumi.redaction import shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

# KSail's rule for cluster names (its pkg/apis/cluster/v1alpha1), stricter than Omni's own.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
MAX_NAME = 63


def check_name(name: str) -> str:
    """Refuse a cluster name that KSail refuses, with its texts.

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
    """Read a number in quotes, as KSail does, and refuse what else pydantic would convert into one."""
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
        return int(value)
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "")
    return value


Count = Annotated[int, Field(ge=0), BeforeValidator(_whole_number)]
Name = Annotated[
    str, AfterValidator(check_name), Field(json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME})
]


def _toggle(value: Any) -> Any:
    """KSail's switches also accept booleans."""
    return {True: "Enabled", False: "Disabled"}.get(value, value) if isinstance(value, bool) else value


Switch = Annotated[
    Literal["Default", "Enabled", "Disabled"],
    BeforeValidator(_toggle, json_schema_input_type=Literal["Default", "Enabled", "Disabled"] | bool),
]
SwitchWithoutDefault = Annotated[
    Literal["Enabled", "Disabled"],
    BeforeValidator(_toggle, json_schema_input_type=Literal["Enabled", "Disabled"] | bool),
]


@dataclass(frozen=True)
class Unused:
    """A field that is accepted with a warning.

    Attributes:
        what: What KSail does and this package does not; `""` if it has no effect with KSail either.
    """

    what: str = ""


Idle = Annotated[Any, Unused()]
"""A field that has no effect on a cluster in Omni."""

Other = Any
"""A part for other providers. It is not validated."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


class Omni(_Part):
    """`spec.provider.omni`, formerly `spec.cluster.omni`."""

    endpoint: str | None = None
    """URL of Omni, such as `https://<account>.omni.siderolabs.io:443`."""

    endpoint_env_var: str | None = None
    """Name of the environment variable that overrides `endpoint`. Default: `OMNI_ENDPOINT`."""

    service_account_key_env_var: str | None = None
    """Name of the environment variable with the service account key. Default: `OMNI_SERVICE_ACCOUNT_KEY`."""

    talos_version: str | None = None
    """Talos version, with or without `v`. Default: the newest that Omni supports."""

    kubernetes_version: str | None = None
    """Kubernetes version, with or without `v`. Default: the newest that Omni supports."""

    machine_class: str | None = None
    """Machine class that Omni allocates the machines from."""

    machines: list[MachineId] | None = None
    """IDs (UUIDs) of the machines, those of the control plane first. Not together with `machineClass`."""


class Talos(_Part):
    """`spec.cluster.talos`: former place of the node counts. The rest is about machines that KSail itself creates."""

    control_planes: Count | None = None
    """The same as `spec.cluster.controlPlanes`."""

    workers: Count | None = None
    """The same as `spec.cluster.workers`."""

    version: Idle = None
    extensions: Idle = None
    config: Annotated[Any, Unused("no talosconfig file is written: use the output talosconfig")] = None
    iso: Other = None
    schematic_id: Other = None
    extra_port_mappings: Other = None
    image_verification: Idle = None
    drain_timeout: Other = None
    storage_health_timeout: Other = None


class Connection(_Part):
    """`spec.cluster.connection`: the context that is kept in a kubeconfig file."""

    context: str | None = None
    """Context that is kept in the kubeconfig file. Default with `kubeconfig`: `admin@<cluster>`. It names the cluster
    if `metadata.name` does not."""

    kubeconfig: str | None = None
    """Kubeconfig file with the context, relative to the folder of ksail.yaml. Default with `context`: the file that
    kubectl uses."""

    timeout: Other = None


class Cluster(_Part):
    """`spec.cluster`."""

    distribution: Literal["Talos"] | None = None
    """Distribution. Only `Talos` runs on Omni."""

    provider: Literal["Omni"] | None = None
    """Provider. Only `Omni` is supported."""

    distribution_config: str | None = None
    """Folder with the Talos patches. Default: `talos`."""

    connection: Connection | None = None
    """How KSail reaches the cluster."""

    control_planes: Count | None = None
    """Number of control plane machines. Default: 1."""

    workers: Count | None = None
    """Number of worker machines. Default: 0."""

    kubernetes_version: str | None = None
    """Kubernetes version, used if `omni` has none."""

    omni: Omni | None = None
    """Former place of `spec.provider.omni`."""

    talos: Talos | None = None
    """Former place of the node counts."""

    cni: Literal["Default", "Cilium", "Calico"] | None = None
    """Network plugin. `Default` is Flannel, which comes with Talos."""

    csi: Switch | None = None
    """Storage for pods, on the disk of the node. `Default` is none."""

    metrics_server: Switch | None = None
    """metrics-server, which measures what pods and nodes use."""

    cert_manager: SwitchWithoutDefault | None = None
    """cert-manager, which issues certificates."""

    policy_engine: Literal["None", "Kyverno", "Gatekeeper"] | None = None
    """Policy engine."""

    git_ops_engine: Annotated[Literal["None", "Flux", "ArgoCD"] | None, Field(alias="gitOpsEngine")] = None
    """GitOps engine."""

    cdi: Idle = None
    load_balancer: Idle = None
    local_registry: Annotated[
        Any, Unused("the GitOps engine is installed without a source: KSail would make it read from this registry")
    ] = None
    autoscaler: Annotated[Any, Unused("no autoscaler is installed")] = None
    node_autoscaling: Idle = None
    import_images: Idle = None
    image_verification: Idle = None
    oidc: Annotated[
        Any, Unused("the kubeconfig has no context for it: KSail would add a second one, oidc@ and the cluster's name")
    ] = None
    sops: Other = None
    workload: Other = None
    vanilla: Other = None
    hetzner: Other = None
    eks: Other = None


class Provider(_Part):
    """`spec.provider`."""

    omni: Omni | None = None
    """Omni, its machines and the versions."""

    docker: Other = None
    hetzner: Other = None
    kubernetes: Other = None
    aws: Other = None
    gcp: Other = None
    azure: Other = None


class Spec(_Part):
    """`spec`."""

    cluster: Cluster | None = None
    """Settings of the cluster."""

    provider: Provider | None = None
    """Settings of the provider."""

    editor: Other = None
    workload: Other = None
    chat: Other = None


class Metadata(_Part):
    """`metadata`."""

    name: Name | None = None
    """Name of the cluster."""


class KsailFile(_Part):
    """A whole ksail.yaml."""

    api_version: Literal["ksail.io/v1alpha1"] | None = None
    """Always `ksail.io/v1alpha1`."""

    kind: Literal["Cluster"] | None = None
    """Always `Cluster`."""

    metadata: Metadata | None = None
    """Metadata of the cluster."""

    spec: Spec | None = None
    """Specification of the cluster."""


def unused_fields(part: BaseModel, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """The paths of the `Unused` fields that are set, each with what is not done; what is off does nothing anywhere."""
    found = []
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        place = (*path, info.alias or name)
        if isinstance(value, BaseModel):
            found += unused_fields(value, place)
        elif (unused := unused_mark(info)) and value and value not in ("Default", "Disabled"):
            found.append((place, unused.what))
    return found


def unused_mark(info: FieldInfo) -> Unused | None:
    """The mark of a field that is not used; None if it is used."""
    return next((mark for mark in info.metadata if isinstance(mark, Unused)), None)
