"""The paths of properties in Pulumi's options: programs write the names of Python, Pulumi knows those in the state.

The SDKs that Pulumi generates translate them too. A path in another spelling would silently have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ksail_pulumi.lifecycle.outputs import FACTS, stored_inputs, stored_name
from ksail_pulumi.model.machine_ids import machine_id
from ksail_pulumi.problems import InvalidCluster, Problem
from ksail_pulumi.provider.fields import FIELDS, FORMER_NAMES, Field
from ksail_pulumi.provider.spelling import CLUSTER, fields_of
from ksail_pulumi.redaction import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulumi import ResourceOptions

Step = str | int

_ALL = "*"
_STEP = re.compile(r'\.?(?P<name>[^.\[\]"]+)|\[((?P<index>[0-9]+)|(?P<all>\*)|"(?P<key>(?:\\"|[^"])*)")\]')
_PLAIN = re.compile(r"[\w$-]+")
_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SECRETS = "additional_secret_outputs"


class _NoPropertyError(Exception):
    """The text is the end of a sentence that begins with the path."""


def to_stored_names(
    opts: ResourceOptions, wire: Mapping[str, Any], part: str = CLUSTER, facts: Sequence[str] = FACTS
) -> None:
    """Write the paths in the options of a resource with the names that its properties have in the state.

    Args:
        opts: The options.
        wire: The inputs of the resource.
        part: The name of the inputs in `FIELDS`.
        facts: The outputs that are not inputs.

    Raises:
        InvalidCluster: Paths name no property that the option can be about.
    """
    inputs = stored_inputs(wire)
    known = _known(part, tuple(facts))
    problems: list[Problem] = []
    for option in _NAMES:
        paths = getattr(opts, option, None)
        if isinstance(paths, str):
            problems.append(Problem((option,), "should be a list, not {paths}", paths=paths))
        elif paths:
            setattr(opts, option, list(_all_stored(option, paths, inputs, known, problems)))
    if problems:
        raise InvalidCluster(problems)


def replaced_by(paths: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the engine finds a change of these inputs at or below one of the paths (`replace_on_changes`).

    Args:
        paths: The paths, as `to_stored_names` has written them.
        old: The inputs in the state.
        new: The inputs of the program, in their stored form.
    """
    wanted = [_steps(path) for path in paths]
    return any(_holds(path, changed) for changed in _changes(old, new, ()) for path in wanted)


def _holds(path: Sequence[Step], changed: Sequence[Step]) -> bool:
    return len(path) <= len(changed) and all(step in (_ALL, at) for step, at in zip(path, changed, strict=False))


def _changes(old: Any, new: Any, path: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """The paths at which the engine finds a difference: what was added or removed as a whole is one."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _changes(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index, (before, after) in enumerate(zip_longest(old, new)):
            yield from _changes(before, after, (*path, index))
    else:
        yield path


def _all_stored(
    option: str, paths: Sequence[Any], inputs: Mapping[str, Any], known: _Known, problems: list[Problem]
) -> Iterator[str]:
    for index, path in enumerate(paths):
        try:
            steps = _steps(path)
            if option == _SECRETS and len(steps) > 1:
                raise _NoPropertyError("is a part of a property: Pulumi can only mark a whole one as secret")
            stored = list(_root(steps, known, _NAMES[option](known)))
            _refuse_inside_a_value(stored, inputs)
            yield _path(stored)
        except _NoPropertyError as error:
            problems.append(Problem((option, index), f"{{written}} {error}", written=path))


def _steps(path: Any) -> list[Step]:
    """The steps of a path, as Pulumi's engine reads it."""
    steps: list[Step] = []
    at = 0
    while isinstance(path, str) and (found := _STEP.match(path, at)) and not path.startswith("."):
        index, key = found["index"], found["key"]
        quoted = None if key is None else key.replace('\\"', '"')
        steps.append(int(index) if index else found["name"] or found["all"] or quoted or "")
        at = found.end()
    if not steps or at < len(path):
        raise _NoPropertyError("is not a path such as workers[0].machine_class.size")
    return steps


def _path(steps: Sequence[Step]) -> str:
    text = str(steps[0])
    for step in steps[1:]:
        if isinstance(step, int) or step == _ALL:
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}"
        else:
            text += '["{}"]'.format(step.replace('"', '\\"'))
    return text


def _refuse_inside_a_value(steps: Sequence[Step], inputs: Mapping[str, Any]) -> None:
    """Refuse `control_plane.count` where the program has `control_plane=3`: the engine would find nothing there."""
    value: Any = inputs
    for index, step in enumerate(steps):
        if isinstance(value, str | int | float):
            outer = _path(steps[:index])
            raise _NoPropertyError(f"has no effect: the program gives {outer} as {kind_of(value)}, which has no parts")
        if isinstance(value, list):
            value = value[step] if isinstance(step, int) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None


def _root(steps: Sequence[Step], known: _Known, names: Mapping[str, Field]) -> Iterator[Step]:
    first, *rest = steps
    if first == _ALL and not rest:
        yield first
        return
    if first in known.outputs and first not in names:
        raise _NoPropertyError("is an output, not an input")
    shown = [name for name in FIELDS[known.part] if name not in FORMER_NAMES]
    outputs = [name for name in known.outputs if name in names and name not in shown and name.islower()]
    field = _field(first, names, [*shown, *outputs], "input or output" if outputs else "input")
    yield field.wire
    yield from _below(field, rest)


def _below(field: Field, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps from the value of a field on."""
    if not steps or field.kind == "any":
        yield from steps
        return
    first, *rest = steps
    if field.kind == "list" and first != _ALL and not isinstance(first, int):
        raise _NoPropertyError(f"names no input: {field.wire} is a list, and needs an index such as [0], or [*]")
    if field.kind:
        yield machine_id(first) if isinstance(first, str) else first
        yield from _below(Field(field.wire, field.part), rest)
    elif field.part and first == _ALL and not rest:
        yield first
    elif field.part:
        inner = _field(first, fields_of(field.part), list(FIELDS[field.part]))
        yield inner.wire
        yield from _below(inner, rest)
    else:
        raise _NoPropertyError(f"names no input: {field.wire} has no fields")


def _field(step: Step, names: Mapping[str, Field], shown: Sequence[str], what: str = "input") -> Field:
    if isinstance(step, str) and step in names:
        return names[step]
    from difflib import get_close_matches

    close = get_close_matches(str(step), shown, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known names: {', '.join(shown)}"
    raise _NoPropertyError(f"names no {what}; {hint}")


def _both_spellings(fields: Mapping[str, Field]) -> dict[str, Field]:
    return {**fields, **{_SNAKE.sub("_", name).lower(): field for name, field in fields.items()}}


@dataclass(frozen=True)
class _Known:
    """What paths can name: the inputs by their own names, and by those that they have as outputs."""

    part: str
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]


@cache
def _known(part: str, facts: tuple[str, ...]) -> _Known:
    stored = {name: field._replace(wire=stored_name(field.wire)) for name, field in fields_of(part).items()}
    inputs = stored | _both_spellings({field.wire: field for field in stored.values()})
    return _Known(part, inputs, _both_spellings({name: Field(name, "", "any") for name in facts}))


_NAMES: Mapping[str, Callable[[_Known], Mapping[str, Field]]] = {
    "ignore_changes": lambda known: known.inputs,
    "replace_on_changes": lambda known: known.inputs,
    # A refresh also shows how outputs differ.
    "hide_diffs": lambda known: {**known.outputs, **known.inputs},
    _SECRETS: lambda known: {**known.inputs, **known.outputs},
}
"""The options with paths, and the properties that these can name. Of two with the same name the last one counts."""
