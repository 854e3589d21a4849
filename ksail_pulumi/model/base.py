"""What the models of the inputs have in common, and the types of their fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.machine_ids import machine_id
from ksail_pulumi.problems import Problem
from ksail_pulumi.redaction import KEY_BELONGS, looks_like, no_variable

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)")
_UNLIMITED = "unlimited"
_Unlimited = Literal["unlimited", "Unlimited", "infinity", "∞"]  # omnictl's spellings

_INT_64 = range(-(2**63), 2**64)

MOST_MACHINES = 2**32 - 1
"""Omni counts machines in 32 bits."""

PRIVATE_FIELDS = frozenset(
    {
        "annotations",
        "description",
        "inline",
        "job",
        "kernel_args",
        "labels",
        "meta_values",
        "provider_data",
        "triggers",
        "url",
        "password",
        "username",
    }
)
"""Fields that may hold a secret: no `repr` shows them."""

READ_BY_PROGRAM = "read by the program"
"""Marks a field that the program itself needs, so that it cannot be an output."""

ALWAYS_SECRET = "always a secret"  # noqa: S105 - a mark
"""Marks a field whose values the schema of the plugin declares as secret."""


@dataclass(frozen=True)
class Formerly:
    """Marks a field that had another name, which is still accepted, with a warning."""

    name: str


def _version(text: str) -> str:
    found = _VERSION.fullmatch(text)
    if not found:
        raise PydanticCustomError("version", "version should be in semver format, like 1.36.3")
    return found[1]


def _duration(text: str) -> str:
    try:
        duration(text)
    except ValueError as error:
        raise PydanticCustomError("duration", "{input} {reason}", {"reason": str(error)}) from None
    return text


def _size(value: Any) -> Any:
    return _UNLIMITED if isinstance(value, str) and value in get_args(_Unlimited) else value


def plain_data(value: Any) -> Any:
    """Plain JSON data in Python's own types; whole floats of 64 bits become integers, as they were before Pulumi."""
    if isinstance(value, float) and value.is_integer() and int(value) in _INT_64:
        return int(value)
    if isinstance(value, dict):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise PydanticCustomError(
        "inline",
        "cannot be a value of type {kind}: use strings, numbers, booleans, lists or mappings",
        {"kind": type(value).__name__},
    )


def _inline(value: Any) -> Any:
    plain = plain_data(value)
    if isinstance(plain, list):
        plain = [{} if item is None else item for item in plain]  # as omnictl does
    if isinstance(plain, str | dict) or (isinstance(plain, list) and all(isinstance(item, dict) for item in plain)):
        return plain
    raise PydanticCustomError("inline", "should be a mapping, a list of mappings, or YAML text")


def machine_count(value: Any) -> int | None:
    """The number of machines that stands for a whole machine set; None for a value of another kind."""
    if isinstance(value, float) and value.is_integer():  # Pulumi makes floats of all numbers
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


Version = Annotated[str, AfterValidator(_version)]
"""A semantic version, which loses the `v` that it may be written with."""

MachineId = Annotated[str, AfterValidator(machine_id)]
"""The ID of a machine, a UUID of which is in small letters."""

FilePath = Annotated[str, READ_BY_PROGRAM]
"""A file whose content takes the place of the field, before there is a model (`model/files.py`)."""

Duration = Annotated[str, AfterValidator(_duration)]
Count = Annotated[int, Field(ge=0, le=MOST_MACHINES)]
Size = Annotated[Count | Literal["unlimited"], BeforeValidator(_size, json_schema_input_type=Count | _Unlimited)]
Metadata = dict[str, str]
Inline = Annotated[
    Any, BeforeValidator(_inline, json_schema_input_type=str | dict[str, Any] | list[dict[str, Any] | None])
]


class Guarded(BaseModel):
    """A model whose `repr` leaves out what may be secret."""

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name not in PRIVATE_FIELDS]


class Model(Guarded):
    """A part of the inputs, under its names on the wire.

    The text below a field describes it to users. `make args` writes it into the inputs' classes and the documentation,
    `ksail-pulumi schema` into the JSON schemas. It names other fields in Python's spelling.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """A null is a field that was not set, as it is for Pulumi, which drops it on the way."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class Inputs(Model):
    """The inputs of a resource of its own, and its Omni."""

    endpoint: str | None = None
    """URL of the resource's Omni. A change to another Omni replaces the resource. Default: the Omni of the stack."""

    service_account_key_env_var: str | None = None
    """Name of the environment variable with the service account key for this Omni. Default: the key of the stack."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong beyond single fields and can be found without Omni."""
        yield from omni_problems(self.endpoint, self.service_account_key_env_var)


def omni_problems(endpoint: str | None, variable: str | None) -> Iterator[Problem]:
    """Reject keys that were pasted by mistake; the client validates the endpoint itself."""
    if endpoint is not None and (what := looks_like(endpoint)) is not None:
        yield Problem(("endpoint",), f"should be the URL of an Omni, but looks like {what}. {KEY_BELONGS}")
    if variable and (reason := no_variable(variable)) is not None:
        yield Problem(("serviceAccountKeyEnvVar",), reason)
