"""The identity of the cluster in the properties of a resource, and whether this release can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.outputs import SCHEMA
from ksail_pulumi.provider.properties import ADOPT, OMNI, OWNER, PACKAGE, UNFINISHED, VERSIONS, package_version
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.plan.ownership import OwnershipMark

_MARKS_CREATIONS = 2
"""The first schema version with creation marks in Omni."""


def owner(given: str, urn: str) -> str:
    """The owner mark of a resource by its URN; without a URN, the one that its program sends."""
    from ksail_pulumi.plan.ownership import owner_by_urn

    return owner_by_urn(given.partition("/")[0], urn) if given and urn else given


def mark_of(properties: Mapping[str, Any], urn: str) -> OwnershipMark:
    """The owner mark of a resource by its URN. After a rename, the one in its properties is a former one."""
    from ksail_pulumi.plan.ownership import OwnershipMark

    stored = str(properties.get(OWNER, ""))
    return OwnershipMark(owner(stored, urn), frozenset({stored}))


def identity_of(name: str, outputs: Mapping[str, Any], mark: OwnershipMark) -> Identity:
    """The identity of the cluster in stored outputs.

    Raises:
        LifecycleError: A newer release wrote them.
    """
    from ksail_pulumi.lifecycle.identity import Identity

    refuse_newer(outputs)
    return Identity(
        name=name,
        mark=mark,
        uuid=str(outputs.get("clusterUuid") or ""),
        omni=str(outputs.get(OMNI, "")),
        marks_creations=form_of(outputs) >= _MARKS_CREATIONS,
        run=str(outputs.get(UNFINISHED) or ""),
    )


def in_another_omni(name: str, former: str, now: str, noun: str = "cluster") -> str:
    """The text for a resource whose program has no endpoint: only an endpoint in the program moves a resource."""
    return (
        f"{noun} {name!r} is in Omni at {former}, and this is Omni at {now}. Set `omni:endpoint` or OMNI_ENDPOINT to "
        f"the former endpoint, or set the input `endpoint` to replace the {noun} by one in this Omni"
    )


def form_of(outputs: Mapping[str, Any]) -> int:
    """The schema version of stored outputs, see `SCHEMA`."""
    return int(outputs.get("schema") or 1)


def refuse_newer(outputs: Mapping[str, Any]) -> None:
    """Refuse outputs of a newer release: its additions would be lost.

    Raises:
        LifecycleError: The text names both releases.
    """
    if form_of(outputs) > SCHEMA:
        raise LifecycleError(
            f"the state of this resource was written by ksail-pulumi {outputs.get(PACKAGE, '(unknown)')}, and "
            f"ksail-pulumi {package_version()} cannot read it: install at least ksail-pulumi "
            f"{outputs.get(PACKAGE, 'in a newer release')}"
        )


def adopts(urn: str, endpoint: str, id_: str) -> bool:
    """Whether what exists is taken over. After a replacement has deleted it, it is created instead."""
    return bool(this_run.remembered(urn).get(ADOPT)) and not this_run.has_deleted(urn, endpoint, id_)


def keep(urn: str, name: str, outputs: Mapping[str, Any]) -> None:
    """Remember what a replacement keeps of the cluster in stored outputs."""
    versions = {version: str(outputs[version]) for version in VERSIONS if version in outputs}
    this_run.keep(urn, {"name": name, **versions})
