"""The shape of ksail.yaml: what of KSail's `Cluster` acts on an Omni cluster, at both of the places it has had."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

# KSail's rule for cluster names (its pkg/apis/cluster/v1alpha1), stricter than Omni's own.
NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
MAX_NAME = 63


def check_name(name: str) -> str:
    """Refuse a cluster name that KSail does not take, with its texts.

    Raises:
        ValueError: It is too long or has other characters.
    """
    if len(name) > MAX_NAME:
        raise ValueError(f'cluster name is too long: "{name}" exceeds max {MAX_NAME} characters (got {len(name)})')
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f'cluster name is invalid: "{name}" must be DNS-1123 compliant (lowercase letters, numbers, and hyphens; '
            "must start with a letter; must not end with a hyphen)"
        )
    return name


def _whole_number(value: Any) -> Any:
    """Refuse what pydantic would bend into a number: `true`, `"2"`."""
    if isinstance(value, bool | str):
        raise ValueError(f"a whole number is expected, not {value!r}")
    return value


Count = Annotated[int, BeforeValidator(_whole_number), Field(ge=0)]
Name = Annotated[
    str, AfterValidator(check_name), Field(json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME})
]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, defer_build=True)


class Omni(_Part):
    """`spec.provider.omni`, at first `spec.cluster.omni`."""

    endpoint: str | None = None
    endpoint_env_var: str | None = None
    service_account_key_env_var: str | None = None
    talos_version: str | None = None
    kubernetes_version: str | None = None
    machine_class: str | None = None
    machines: list[str] | None = None


class Talos(_Part):
    """`spec.cluster.talos`: the node counts' first home; the rest concerns machines that KSail itself makes."""

    control_planes: Count | None = None
    workers: Count | None = None


class Cluster(_Part):
    """`spec.cluster`."""

    distribution: Literal["Talos"] | None = None
    provider: Literal["Omni"] | None = None
    distribution_config: str | None = None
    control_planes: Count | None = None
    workers: Count | None = None
    kubernetes_version: str | None = None
    omni: Omni | None = None
    talos: Talos | None = None


class Provider(_Part):
    """`spec.provider`."""

    omni: Omni | None = None


class Spec(_Part):
    """`spec`."""

    cluster: Cluster | None = None
    provider: Provider | None = None


class Metadata(_Part):
    """`metadata`."""

    name: Name | None = None


class KsailFile(_Part):
    """A whole ksail.yaml."""

    api_version: Literal["ksail.io/v1alpha1"] | None = None
    kind: Literal["Cluster"] | None = None
    metadata: Metadata | None = None
    spec: Spec | None = None
