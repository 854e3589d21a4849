"""What a program in another language gives to the component, as `KSailCluster` takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi import CustomTimeouts, Output, ResourceOptions

from ksail_pulumi.model.component import ComponentOptions
from ksail_pulumi.model.parse import parse_part

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONS = tuple(field.alias or name for name, field in ComponentOptions.model_fields.items())
_FORWARDED = ("ignore_changes", "replace_on_changes", "retain_on_delete")
"""Options of the component that are meant for its cluster. Pulumi itself hands down `protect`."""


@dataclass(frozen=True)
class Arrived:
    """A component as a program declares it.

    Attributes:
        inputs: The inputs of the cluster, by their names on the wire.
        cluster_options: Pulumi's options of the cluster.
    """

    inputs: dict[str, Any]
    cluster_options: ResourceOptions


def arrived(given: Mapping[str, Any], options: ResourceOptions) -> Arrived:
    """Read the inputs and the options of a component.

    Raises:
        InvalidCluster: An input that becomes an option is not valid.
    """
    wanted = parse_part({name: given[name] for name in _OPTIONS if name in given}, ComponentOptions)
    return Arrived(
        {name: whole(value) for name, value in given.items() if name not in _OPTIONS},
        ResourceOptions(
            **{name: getattr(options, name) or None for name in _FORWARDED},
            import_=wanted.imported,
            custom_timeouts=CustomTimeouts(**wanted.timeouts.model_dump()) if wanted.timeouts else None,
        ),
    )


def whole(value: Any) -> Any:
    """The same with integers where Pulumi has made floats of them, also in outputs.

    Then the check of what Pulumi can send exactly finds the integers that it has rounded.
    """
    if isinstance(value, Output):
        return value.apply(whole)
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
