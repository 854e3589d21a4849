"""Writes the inputs of a cluster as a Pulumi program that takes the cluster over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args, get_origin

from ksail_pulumi.formats.literals import argument, text_literal
from ksail_pulumi.model.cluster import ClusterSpec
from ksail_pulumi.model.reasons import model_in

if TYPE_CHECKING:
    from pydantic import BaseModel


def program_text(inputs: Mapping[str, Any]) -> str:
    """The program of a cluster that was read from Omni.

    Args:
        inputs: The cluster on the wire.
    """
    name = inputs["name"]
    fields = _spelled({key: value for key, value in inputs.items() if key != "name"}, ClusterSpec)
    lines = [
        f'"""Cluster {name} on Sidero Omni.',
        "",
        "The first `pulumi up` imports the existing cluster. You can remove `import_` afterwards.",
        '"""',
        "",
        "import pulumi",
        "",
        "from ksail_pulumi import OmniCluster",
        "",
        "cluster = OmniCluster(",
        f"    {text_literal(name)},",
        *(argument(field, value, indent=4) for field, value in fields.items()),
        f"    opts=pulumi.ResourceOptions(import_={text_literal(name)}),",
        ")",
        "",
        'pulumi.export("kubeconfig", cluster.kubeconfig)',
    ]
    return "\n".join(lines) + "\n"


def _spelled(fields: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a model under their names in Python, in the order of the model but for the name, which is first."""
    known = sorted(model.model_fields.items(), key=lambda item: item[0] != "name")
    return {
        name: _value(fields[alias], info.annotation) for name, info in known if (alias := info.alias or name) in fields
    }


def _value(value: Any, annotation: Any) -> Any:
    model = model_in(annotation)
    if model is None:
        return value
    if isinstance(value, list | tuple):
        return [_value(item, model) for item in value]
    if not isinstance(value, Mapping):
        return value
    if any(get_origin(each) is dict for each in (annotation, *get_args(annotation))):
        return {key: _value(item, model) for key, item in value.items()}
    return _spelled(value, model)
