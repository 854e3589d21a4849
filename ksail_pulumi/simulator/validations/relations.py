"""Labels that connect a resource with its cluster and machine set: they are required and immutable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ksail_pulumi.omni.resources import Resource


def present(resource: Resource, keys: Sequence[str]) -> Iterator[str]:
    """Errors in required labels."""
    for key in keys:
        if key not in resource.labels:
            yield f'label "{key}" does not exist'
        elif not resource.labels[key]:
            yield f'label "{key}" has empty value'


def unchanged(old: Resource, new: Resource, keys: Sequence[str]) -> Iterator[str]:
    """Errors in required, immutable labels."""
    for key in keys:
        yield from present(new, (key,))
        before, after = old.labels.get(key, ""), new.labels.get(key, "")
        if before != after:
            yield f'changing value of label "{key}" from "{before}" to "{after}"'
