"""Whether an object in Kubernetes is as it is written, and has nothing left of the text before."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from ksail_pulumi.model.objects import KubernetesObject

_QUANTITIES = frozenset({"resources", "limits", "requests", "capacity", "hard", "storage", "sizeLimit"})
"""The fields below which the API server may write a quantity differently: `1000m` as `1`."""
_TEXTS = frozenset({"data", "metadata"})
"""The fields whose keys are those of users, so `storage` means nothing there."""
_SUFFIXES = {
    **{letter: Decimal(1000) ** (place + 1) for place, letter in enumerate("kMGTPE")},
    **{f"{letter}i": Decimal(1024) ** (place + 1) for place, letter in enumerate("KMGTPE")},
    "m": Decimal("0.001"),
    "": Decimal(1),
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([kMGTPE]|[KMGTPE]i|m|)")


def stored(item: KubernetesObject) -> Any:
    """An object as the API server stores it: the texts of a Secret are encoded. None if it cannot be read."""
    try:
        content = item.content()
    except yaml.YAMLError:  # a text that somebody else has given to Omni
        return None
    texts = content.get("stringData") if item.kind == "Secret" else None
    if not isinstance(texts, Mapping):
        return content
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
    rest = {key: value for key, value in content.items() if key != "stringData"}
    return {**rest, "data": {**(content.get("data") or {}), **encoded}}


def as_written(live: Any, wanted: Any, before: Any = None, *, quantities: bool | None = False) -> bool:
    """Whether a live value has all that is wanted, and no field that only the text before had.

    The API server adds defaults, and others their own fields. It may also add a default for a field that the text
    before had set: then this is false for good, because nothing shows whether the change has arrived.

    Args:
        live: The value in Kubernetes.
        wanted: The value in the text.
        before: The value in the text before; None for none.
        quantities: Whether numbers may be quantities; None: not here or in any field below.
    """
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and _same_fields(live, wanted, before, quantities)
    if isinstance(wanted, list):
        return isinstance(live, list) and _same_items(live, wanted, before, quantities)
    if isinstance(live, bool) or isinstance(wanted, bool):
        return live is wanted
    return live == wanted or (bool(quantities) and _quantity(live) == _quantity(wanted) is not None)


def _same_fields(live: Mapping[str, Any], wanted: Mapping[str, Any], before: Any, quantities: bool | None) -> bool:
    old = before if isinstance(before, Mapping) else {}
    return all(
        # The API server does not store fields without a value.
        as_written(live[key], value, old.get(key), quantities=_below(key, quantities)) if key in live else not value
        for key, value in wanted.items()
        if value is not None
    ) and not any(_left(live[key], value) for key, value in old.items() if wanted.get(key) is None and key in live)


def _below(key: str, quantities: bool | None) -> bool | None:
    if quantities is None or key in _TEXTS:
        return None
    return quantities or key in _QUANTITIES


def _left(live: Any, before: Any) -> bool:
    """Whether a live value has something of a field that has been removed."""
    if before is None:
        return False
    if isinstance(live, Mapping) and isinstance(before, Mapping) and before:
        return any(_left(live[key], value) for key, value in before.items() if key in live)
    return live not in ({}, [])


def _same_items(live: list[Any], wanted: list[Any], before: Any, quantities: bool | None) -> bool:
    old = before if isinstance(before, list) else []
    if len(live) == len(wanted):
        return all(
            as_written(item, each, _partner(old, wanted, place), quantities=quantities)
            for place, (item, each) in enumerate(zip(live, wanted, strict=True))
        )
    if not all(isinstance(each, Mapping) for each in (*live, *wanted)):
        return False
    rest = list(live)
    for place, each in enumerate(wanted):
        partner = _partner(old, wanted, place)
        found = next((item for item in rest if as_written(item, each, partner, quantities=quantities)), None)
        if found is None:
            return False
        rest.remove(found)
    # What is left comes from others, unless the text before had it.
    return not any(as_written(item, each, quantities=quantities) for item in rest for each in old)


def _partner(old: list[Any], wanted: list[Any], place: int) -> Any:
    """The item before that an item has come from: that with its name, or in its place."""
    name = _name(wanted[place])
    if name is not None:
        return next((each for each in old if _name(each) == name), None)
    return old[place] if len(old) == len(wanted) else None


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, Mapping) else None


def _quantity(value: Any) -> Decimal | None:
    """A number, or a quantity of Kubernetes such as `100m`; None for something else."""
    found = _QUANTITY.fullmatch(str(value))
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]] if found else None
    except InvalidOperation:
        return None
