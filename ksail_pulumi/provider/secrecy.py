"""What a call of the engine must not show of its properties.

A dynamic provider gets plain values: Pulumi takes the secret marks off on the way. So the program sends the paths of
what is marked along with the inputs (`MARKED`); `check` takes note of them for the calls that follow, and the outputs
keep them for those that have no program (`refresh`, `destroy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.outputs import input_name, inputs_in
from ksail_pulumi.provider.properties import MARKED
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.redaction import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.problems import FieldPath


def marked(urn: str, properties: Mapping[str, Any]) -> list[FieldPath]:
    """The paths of what is marked as secret in the properties of a resource."""
    given = properties.get(MARKED)
    if given is None:
        given = this_run.told(urn).get(MARKED)
    return _paths(given)


def newly_marked(urn: str, outputs: Mapping[str, Any]) -> bool:
    """Whether something is marked as secret now that stands in stored outputs in plain text."""
    given = this_run.told(urn).get(MARKED)
    return not set(_paths(given)) <= set(_paths(outputs.get(MARKED)))


def _paths(given: Any) -> list[FieldPath]:
    """Paths as they were before Pulumi, which makes floats of all numbers.

    States from before the input `addons` had its name hold paths into `components`.
    """
    return [
        (input_name(first), *(int(part) if isinstance(part, float) else part for part in rest))
        for first, *rest in given or ()
    ]


def gate_for(urn: str, *properties: Mapping[str, Any]) -> Gate:
    """What keeps the values of properties back in the texts of a call."""

    def secret() -> set[str]:
        found: set[str] = set()
        for each in properties:
            if paths := marked(urn, each):
                from ksail_pulumi.model.gate import secret_values

                found |= secret_values(inputs_in(each), paths)
        return found

    def private() -> set[str]:
        from ksail_pulumi.model.gate import private_values

        return set().union(*(private_values(inputs_in(each)) for each in properties))

    return Gate(secret, private)
