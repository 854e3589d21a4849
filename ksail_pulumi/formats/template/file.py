"""The schema of omnictl's cluster templates: one model for each kind of document.

It validates only what is specific to templates; all other rules are those of the cluster model. A class or field
without a description has that of the input in `SAME_AS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ksail_pulumi.model import cluster as inputs
from ksail_pulumi.model.base import Guarded, MachineId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


def _texts(value: Any) -> Any:
    """In Go, a label without a value has an empty value."""
    return {key: "" if text is None else text for key, text in value.items()} if isinstance(value, dict) else value


Metadata = Annotated[
    dict[str, str], BeforeValidator(_texts, json_schema_input_type=dict[str, str | int | float | bool | None])
]


class _Part(Guarded):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


class _Described(_Part):
    labels: Metadata | None = None
    annotations: Metadata | None = None


class Patch(_Described):
    name: str | None = None
    id_override: str | None = None
    file: str | None = None
    """Path of a file with the patch, relative to the template."""

    inline: Any = None


class Manifest(_Described):
    name: str | None = None
    mode: Annotated[str | None, Field(json_schema_extra={"enum": ["full", "one-time", None]})] = None
    file: str | None = None
    """Path of a file with the objects, relative to the template."""

    inline: Any = None


class HealthCheck(_Described):
    name: str | None = None
    id_override: str | None = None
    job: Any = None
    file: str | None = None
    """Path of a file with the Job, relative to the template."""

    interval: str | None = None


class Kubernetes(_Part):
    """Kubernetes in the cluster."""

    model_config = ConfigDict(json_schema_extra={"required": ["version"]})

    version: str = ""
    """Kubernetes version, such as `v1.36.3`. Required."""

    manifests: list[Manifest] | None = None
    healthchecks: list[HealthCheck] | None = None
    """Kubernetes Jobs that must succeed before an upgrade continues."""


class Talos(_Part):
    """Talos on the machines."""

    model_config = ConfigDict(json_schema_extra={"required": ["version"]})

    version: str = ""
    """Talos version with its `v`, such as `v1.13.8`. Required."""


class BackupConfiguration(_Part):
    interval: str | None = None
    """Time between two backups, as a Go duration such as `1h`. Default: no backups."""


class Features(_Part):
    disk_encryption: bool | None = None
    enable_workload_proxy: bool | None = None
    use_embedded_discovery_service: bool | None = None
    disable_public_discovery_service: bool | None = None
    enable_node_audit_skip: bool | None = None
    backup_configuration: BackupConfiguration | None = None
    """Backups of etcd. Default: none."""


class _Configured(_Described):
    patches: list[Patch] | None = None
    system_extensions: list[str] | None = None
    kernel_args: list[str] | None = None


class Cluster(_Configured):
    """The cluster itself."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "name", "kubernetes", "talos"]})

    kind: Literal["Cluster"]
    """Always `Cluster`."""

    name: str = ""
    """Name of the cluster in Omni. Required."""

    kubernetes: Kubernetes | None = None
    """Kubernetes in the cluster."""

    talos: Talos | None = None
    """Talos on the machines."""

    features: Features | None = None


class MachineClass(_Part):
    name: str
    size: Annotated[str, Field(json_schema_extra={"type": ["integer", "string"]})] = "0"
    """Number of machines, or `unlimited` for all machines of the class. Default: 0."""


class Rolling(_Part):
    max_parallelism: int | None = None


class Strategy(_Part):
    type: Annotated[str | None, Field(json_schema_extra={"enum": ["Rolling", "Unset", None]})] = None
    rolling: Rolling | None = None


class BootstrapSpec(_Part):
    cluster_uuid: Annotated[str | None, Field(alias="clusterUUID")] = None
    snapshot: str | None = None


class _MachineSet(_Configured):
    machines: list[MachineId] | None = None
    machine_class: MachineClass | None = None
    upgrade_strategy: Strategy | None = None


class ControlPlane(_MachineSet):
    kind: Literal["ControlPlane"]
    """Always `ControlPlane`."""

    bootstrap_spec: BootstrapSpec | None = None


class Workers(_MachineSet):
    kind: Literal["Workers"]
    """Always `Workers`."""

    name: str | None = None
    update_strategy: Strategy | None = None
    delete_strategy: Strategy | None = None


class Install(_Part):
    disk: str | None = None
    disk_selector: str | None = None


class Machine(_Configured):
    model_config = ConfigDict(json_schema_extra={"required": ["kind", "name"]})

    kind: Literal["Machine"]
    """Always `Machine`."""

    name: MachineId = ""
    """ID (UUID) of the machine. Required."""

    locked: bool | None = None
    """True locks the machine: it gets no changes and stays in the cluster. Default: false."""

    install: Install | None = None


KINDS: dict[str, type[_Part]] = {
    "Cluster": Cluster,
    "ControlPlane": ControlPlane,
    "Workers": Workers,
    "Machine": Machine,
}

SAME_AS: Mapping[type[BaseModel], type[BaseModel]] = {
    BackupConfiguration: inputs.Backup,
    BootstrapSpec: inputs.BootstrapSpec,
    Cluster: inputs.ClusterSpec,
    ControlPlane: inputs.ControlPlane,
    Features: inputs.Features,
    HealthCheck: inputs.HealthCheck,
    Install: inputs.Install,
    Kubernetes: inputs.ClusterSpec,
    Machine: inputs.Machine,
    MachineClass: inputs.MachineClass,
    Manifest: inputs.Manifest,
    Patch: inputs.Patch,
    Rolling: inputs.Rolling,
    Strategy: inputs.Strategy,
    Workers: inputs.Workers,
}
"""The inputs with the same meaning, where a field has the same name."""
