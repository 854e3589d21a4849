"""A machine class: which machines Omni allocates to the sets of clusters that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import Inputs, Model, plain_data
from ksail_pulumi.model.selectors import OMNI_PREFIX, parse_selector
from ksail_pulumi.problems import Problem
from ksail_pulumi.redaction import looks_like

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_MANUAL_ALLOCATION = f"{OMNI_PREFIX}no-manual-allocation"


def _document(value: Any) -> Any:
    plain = plain_data(value)
    if isinstance(plain, str | dict):
        return plain
    raise PydanticCustomError("inline", "should be a mapping, or YAML text")


MetaKey = Annotated[int, Field(ge=0, le=255)]
Document = Annotated[Any, BeforeValidator(_document, json_schema_input_type=str | dict[str, Any])]


class MetaValue(Model):
    """A value in the META partition of a Talos machine."""

    key: MetaKey
    """Number of the META key, such as 10 for a network configuration."""

    value: str
    """The value."""


class AutoProvision(Model):
    """Machines that an infra provider creates when a cluster needs them."""

    provider_id: str
    """ID of the infra provider in Omni."""

    provider_data: Document | None = None
    """Settings for the infra provider, such as the size of the machines: a mapping, or YAML text. The provider defines
    them."""

    kernel_args: tuple[str, ...] | None = None
    """Kernel arguments of the machines. A change reaches only machines that are created later."""

    meta_values: tuple[MetaValue, ...] | None = None
    """Values for the META partition of the machines."""

    grpc_tunnel: bool | None = None
    """Whether the machines reach Omni through a gRPC tunnel. Default: as set for the account."""


class MachineClassInputs(Inputs):
    """A machine class in Omni. Give either `match_labels` or `auto_provision`."""

    name: str
    """Name of the machine class, which is its ID in Omni. Default: the name of the resource."""

    match_labels: tuple[str, ...] | None = None
    """Selectors of machines, such as `omni.sidero.dev/arch = amd64, !gpu`. A machine belongs to the class if one of
    them matches."""

    auto_provision: AutoProvision | None = None
    """The infra provider that creates the machines. While machine sets use the class, it cannot change between
    `match_labels` and `auto_provision`."""

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.name:
            yield Problem(("name",), "name is required")
        elif (what := looks_like(self.name)) is not None:
            yield Problem(("name",), f"should be the name of a machine class, but looks like {what}")
        if self.match_labels and self.auto_provision is not None:
            yield Problem((), "can't set both auto provision and match labels at the same time")
        elif not self.match_labels and self.auto_provision is None:
            yield Problem((), "machine class should either have auto provision or match labels set")
        if self.auto_provision is not None and not self.auto_provision.provider_id:
            yield Problem(("autoProvision", "providerId"), "providerID can not be empty")
        for index, text in enumerate(self.match_labels or ()):
            yield from _selector(("matchLabels", index), text)


def _selector(path: tuple[str, int], text: str) -> Iterator[Problem]:
    try:
        selector = parse_selector(text)
    except ValueError as error:
        yield Problem(path, f"failed to parse matchLabels: {{text}}: {error}", text=text)
        return
    if any(term.key == _NO_MANUAL_ALLOCATION for term in selector.terms):
        yield Problem(path, f"selectors using label {_NO_MANUAL_ALLOCATION} are not allowed")
