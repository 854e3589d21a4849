"""JSON schemas of what users write, made from the models: for editors, and for checks before a run.

What a field means stands in the models' docstrings, under `Attributes:`.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from ksail_pulumi.formats.ksail.file import WITHOUT_EFFECT, KsailFile
from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.model.cluster import ClusterSpec, HealthCheck, Manifest, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_IN_FILES: dict[type[BaseModel], str] = {Patch: "patch", Manifest: "manifests", HealthCheck: "job"}
"""Models of what can stand in a file, which is read before there is a model; and what is in the file."""

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
    """Describes models and their fields by the models' docstrings."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        documentation = inspect.getdoc(model) or ""
        described.pop("title", None)
        described["description"] = _paragraph(documentation.split("\n\nAttributes:")[0])
        fields = described.get("properties", {})
        if content := _IN_FILES.get(model):
            text = f"A file that holds the {content}, relative to the program's folder."
            fields["file"] = {"type": "string", "description": text}
        meanings = _meanings(model)
        for name, info in model.model_fields.items():
            field = fields[info.alias or name]
            field.pop("title", None)
            if field.get("default", ...) is None:
                del field["default"]
            if meaning := meanings.get(name) or _of_others(info):
                field["description"] = meaning
        return described


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and its bases say about its fields."""
    meanings: dict[str, str] = {}
    for base in reversed(model.__mro__):
        section = (inspect.cleandoc(base.__doc__ or "") if base is not BaseModel else "").partition("\nAttributes:\n")[
            2
        ]
        for entry in re.split(r"\n(?=    \S)", "\n" + section.split("\n\n")[0]):
            name, _, meaning = entry.strip().partition(": ")
            meanings[name] = _paragraph(meaning)
    return meanings


def _of_others(info: FieldInfo) -> str:
    """What to say of fields of KSail that are not about a cluster on Omni."""
    if WITHOUT_EFFECT in info.metadata:
        return "Without effect on a cluster in Omni."
    return "Not about a cluster in Omni." if info.annotation is Any else ""


def _paragraph(text: str) -> str:
    return " ".join(text.split())
