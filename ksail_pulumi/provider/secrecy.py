"""Which properties a call of the engine must not show.

A dynamic provider gets plain values, because Pulumi removes the secret marks. So the program sends the paths of secrets
with the inputs (`MARKED`). `check` remembers them for the following calls, and the outputs contain them for operations
without a program (`refresh`, `destroy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.outputs import input_name, inputs_in
from ksail_pulumi.provider.properties import CONNECTION, MARKED
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.redaction import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.problems import FieldPath

_PLAIN = ("form", "context", "file")
"""Options of a kubeconfig that messages show."""


def marked(urn: str, properties: Mapping[str, Any]) -> list[FieldPath]:
    """The paths of the secrets in the properties of a resource."""
    given = properties.get(MARKED)
    if given is None:
        given = this_run.remembered(urn).get(MARKED)
    return _paths(given)


def newly_marked(urn: str, outputs: Mapping[str, Any]) -> bool:
    """Whether something is marked as secret that is in plain text in the stored outputs."""
    given = this_run.remembered(urn).get(MARKED)
    return not set(_paths(given)) <= set(_paths(outputs.get(MARKED)))


def _paths(given: Any) -> list[FieldPath]:
    """Paths with integers again: Pulumi converts all numbers to floats.

    States from before the input `addons` had its name hold paths into `components`.
    """
    return [
        (input_name(first), *(int(part) if isinstance(part, float) else part for part in rest))
        for first, *rest in given or ()
    ]


def gate_for(urn: str, *properties: Mapping[str, Any]) -> Gate:
    """The gate that redacts the properties in the texts of a call."""

    def secret() -> set[str]:
        found: set[str] = set()
        for each in properties:
            if CONNECTION in each:
                # A child has no marks; its options are those of the cluster, which can be marked.
                from ksail_pulumi.model.gate import secret_values

                options = each.get("options")
                if isinstance(options, dict):  # it can be unknown
                    options = {key: value for key, value in options.items() if key not in _PLAIN}
                found |= secret_values({"kubeconfig": options}, [("kubeconfig",)])
            if paths := marked(urn, each):
                from ksail_pulumi.model.gate import secret_values

                found |= secret_values(inputs_in(each), paths)
        return found

    def private() -> set[str]:
        from ksail_pulumi.model.gate import private_values

        return set().union(*(private_values(inputs_in(each)) for each in properties))

    return Gate(secret, private)
