"""Which cluster the properties of a resource speak of, and whether this release can read them."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.outputs import SCHEMA
from ksail_pulumi.provider.properties import ADOPT, OMNI, OWNER, PACKAGE, UNFINISHED, VERSIONS
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.lifecycle.identity import Identity
    from ksail_pulumi.plan.ownership import OwnershipMark

_MARKS_CREATIONS = 2
"""The form of the outputs since which an unfinished creation is marked in Omni."""


def owner(given: str, urn: str) -> str:
    """The mark of a resource, given the one that its program sends and its URN; without a URN, that of the program."""
    from ksail_pulumi.plan.ownership import owner_by_urn

    return owner_by_urn(given.partition("/")[0], urn) if given and urn else given


def mark_of(properties: Mapping[str, Any], urn: str) -> OwnershipMark:
    """The mark of a resource by its URN, which a rename changes; the one in its properties is a former one then."""
    from ksail_pulumi.plan.ownership import OwnershipMark

    stored = str(properties.get(OWNER, ""))
    return OwnershipMark(owner(stored, urn), frozenset({stored}))


def identity_of(name: str, outputs: Mapping[str, Any], mark: OwnershipMark) -> Identity:
    """Which cluster stored outputs speak of.

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


def form_of(outputs: Mapping[str, Any]) -> int:
    """The form of stored outputs, see `SCHEMA`."""
    return int(outputs.get("schema") or 1)


def refuse_newer(outputs: Mapping[str, Any]) -> None:
    """Refuse outputs that a newer release wrote: what it added would be lost.

    Raises:
        LifecycleError: The text names both releases.
    """
    if form_of(outputs) > SCHEMA:
        raise LifecycleError(
            f"the state of this resource was written by ksail-pulumi {outputs.get(PACKAGE, '(unknown)')}, and this is "
            f"ksail-pulumi {metadata.version('ksail-pulumi')}, which cannot read it: install ksail-pulumi "
            f"{outputs.get(PACKAGE, 'in a newer release')}"
        )


def adopts(urn: str, name: str) -> bool:
    """Whether a cluster is taken over. What was taken over and has been deleted by a replacement is made anew."""
    return bool(this_run.told(urn).get(ADOPT)) and not this_run.has_deleted(urn, name)


def keep(urn: str, name: str, outputs: Mapping[str, Any]) -> None:
    """Take note of what a replacement keeps of the cluster that stored outputs speak of."""
    versions = {version: str(outputs[version]) for version in VERSIONS if version in outputs}
    this_run.keep(urn, {"name": name, **versions})
