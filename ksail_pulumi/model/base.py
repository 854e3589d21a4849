"""What the models of the inputs have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.machine_ids import machine_id

_VERSION = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)")


def _version(text: str) -> str:
    found = _VERSION.fullmatch(text)
    if not found:
        raise PydanticCustomError("version", "version should be in semver format, like 1.36.3")
    return found[1]


Version = Annotated[str, AfterValidator(_version)]
"""A semantic version, which loses the `v` that it may be written with."""

MachineId = Annotated[str, AfterValidator(machine_id)]
"""The ID of a machine, a UUID of which is in small letters."""


_PRIVATE = frozenset({"annotations", "description", "inline", "job", "kernel_args", "labels", "url"})


class Guarded(BaseModel):
    """A model whose `repr` leaves out what may be secret."""

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name not in _PRIVATE]


class Model(Guarded):
    """A part of the inputs, under its names on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """A null is a field that was not set, as it is for Pulumi, which drops it on the way."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data
