"""JSON schemas of what users write, made from the models: for editors, and for checks before a run.

The descriptions are those of the models (`formats/descriptions.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from ksail_pulumi.formats.descriptions import described, descriptions, on_the_wire
from ksail_pulumi.formats.ksail.file import KsailFile, unused_mark
from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.model.cluster import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TemplateDocument = Annotated[
    template_file.Cluster | template_file.ControlPlane | template_file.Workers | template_file.Machine,
    Field(discriminator="kind"),
]


def args_schema() -> dict[str, Any]:
    """The inputs of an `OmniCluster` under their names on the wire."""
    schema = _finished(ClusterSpec.model_json_schema(schema_generator=_Schema), "Inputs of an OmniCluster")
    schema["required"].remove("name")  # the resource's own name is the default
    if not schema["required"]:
        del schema["required"]
    return schema


def ksail_schema() -> dict[str, Any]:
    """A ksail.yaml that describes a cluster on Omni."""
    return _finished(KsailFile.model_json_schema(schema_generator=_Schema), "ksail.yaml")


def template_schema() -> dict[str, Any]:
    """One document of a cluster template of omnictl."""
    schema = TypeAdapter(_TemplateDocument).json_schema(schema_generator=_Schema)
    del schema["discriminator"]  # a word of OpenAPI's
    return _finished(schema, "A document of a cluster template of omnictl")


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "args": args_schema,
    "ksail": ksail_schema,
    "template": template_schema,
}


def _finished(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": title, **{key: part for key, part in schema.items() if key != "title"}}


class _Schema(GenerateJsonSchema):
    """Adds the descriptions of models and fields."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        same = template_file.SAME_AS.get(model)
        made.pop("title", None)
        made["description"] = on_the_wire(described(model) or (described(same) if same else ""))
        texts = (descriptions(same) if same else {}) | descriptions(model)
        for name, info in model.model_fields.items():
            field = made["properties"][info.alias or name]
            field.pop("title", None)
            if field.get("default", ...) is None:
                del field["default"]
            if text := texts.get(name) or _of_others(info):
                field["description"] = on_the_wire(text)
        return made


def _of_others(info: FieldInfo) -> str:
    """What to say of fields of KSail that are not about a cluster on Omni."""
    if unused := unused_mark(info):
        return f"Not used: {unused.what}." if unused.what else "Without effect on a cluster in Omni."
    return "Not about a cluster in Omni." if info.annotation is Any else ""
