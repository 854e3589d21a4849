"""A backup of a cluster's etcd that a program takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import Inputs, plain_data
from ksail_pulumi.problems import Problem
from ksail_pulumi.redaction import looks_like

if TYPE_CHECKING:
    from collections.abc import Iterator


def _triggers(value: Any) -> Any:
    plain = plain_data(value)
    if isinstance(plain, list | dict):
        return plain
    raise PydanticCustomError("inline", "should be a list or a mapping")


Triggers = Annotated[Any, BeforeValidator(_triggers, json_schema_input_type=list[Any] | dict[str, Any])]


class EtcdBackupInputs(Inputs):
    """A backup of a cluster's etcd in Omni's store."""

    cluster: str
    """Name of the cluster. A change makes a new backup. Required."""

    triggers: Triggers | None = None
    """Values of any kind, in a list or a mapping. A change of one of them makes a new backup."""

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.cluster:
            yield Problem(("cluster",), "is required")
        elif (what := looks_like(self.cluster)) is not None:
            yield Problem(("cluster",), f"should be the name of a cluster, but looks like {what}")
