"""What a program may pass as inputs, found out where it runs: there a mistake has a place in the code.

Values that are known at once are looked at when the cluster is declared; an `Output` is, when it has its value.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pulumi import Archive, Asset, Output, Resource, _types
from pulumi.output import Unknown

from ksail_pulumi.errors import InputError
from ksail_pulumi.lifecycle.outputs import FACTS
from ksail_pulumi.problems import InvalidCluster, Problem, invalid, unknown_field
from ksail_pulumi.provider.configured import look_at_settings
from ksail_pulumi.provider.fields import FIELDS
from ksail_pulumi.provider.program import reported
from ksail_pulumi.provider.spelling import wire_name
from ksail_pulumi.redaction import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from ksail_pulumi.problems import FieldPath

_DEEPEST = 100  # levels of nesting
INPUTS = tuple(dict.fromkeys(field.wire for field in FIELDS["OmniCluster"].values()))
"""All inputs by their names on the wire, in the order of the model."""

_EXACT = 2**53  # whole numbers up to this are exact in a double
_TAKEN = "use strings, numbers, booleans, lists or mappings"
_IN_CLEAR = "is marked as secret, and cannot be: {why}. If it only comes from a secret, pass it through Output.unsecret"
_STORED = "Pulumi stores it in plain text, as an ID or a part of one"
_NAMED = "kubectl and messages show it"


def refuse_unknown(wire: Mapping[str, Any]) -> None:
    """Refuse what is no documented input: `check` would take it for one of the properties that only it knows.

    Raises:
        InvalidCluster: With the name of each.
    """
    if unknown := [name for name in wire if name not in INPUTS]:
        reasons = dict.fromkeys(FACTS, "is an output, not an input")
        problems = [Problem((name,), reasons.get(name) or unknown_field(name, sorted(INPUTS))) for name in unknown]
        raise InvalidCluster(problems)


def refuse_shapeless(inputs: Any) -> None:
    """Refuse what can be no tree of inputs, before anything follows it.

    Raises:
        InvalidCluster: With the path of each value that contains itself, or has a key that is no text.
    """
    if problems := list(_unsendable(inputs, (), (), lambda _: None)):
        raise InvalidCluster(problems)


def refuse_unsendable(wire: Any, path: FieldPath = ()) -> None:
    """Refuse values that Pulumi cannot send to a provider: its own error ends in a traceback and prints the value.

    Raises:
        InvalidCluster: With the path of each.
    """
    if problems := list(_unsendable(wire, path, (), why_not_sendable)):
        raise InvalidCluster(problems)


def _unsendable(
    value: Any, path: FieldPath, around: tuple[int, ...], why_not: Callable[[Any], str | None]
) -> Iterator[Problem]:
    items = _items(value)
    if items is not None:
        if id(value) in around or len(around) > _DEEPEST:
            yield Problem(path, f"contains itself, or is nested more than {_DEEPEST} levels deep")
            return
        for part, item in items:
            if isinstance(part, str) or not isinstance(value, Mapping):
                yield from _unsendable(item, (*path, part), (*around, id(value)), why_not)
            else:
                yield Problem(path, f"has a key of type {type(part).__name__}: keys should be strings")
    elif reason := why_not(value):
        yield Problem(path, reason)


def _items(value: Any) -> Sequence[tuple[Any, Any]] | None:
    """What is in a value, with the part of the path that leads there; None for what is no collection."""
    if isinstance(value, Mapping):
        return [(key, item) for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview | range):
        return list(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(wire_name(field.name), getattr(value, field.name)) for field in dataclasses.fields(value)]
    if _types.is_input_type(type(value)):
        return list(_types.input_type_to_dict(value).items())
    return None


def why_not_sendable(value: Any) -> str | None:
    """Why a value that is no collection cannot be sent."""
    if isinstance(value, str):
        broken = not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)
        return "contains invalid characters (lone surrogates)" if broken else None
    if isinstance(value, int) and abs(value) > _EXACT:
        # Pulumi sends every number as a double (protobuf's Struct), so it would arrive as another number.
        return "is a number that Pulumi cannot send exactly: write the patch or manifest as YAML text"
    if isinstance(value, float) and not math.isfinite(value):
        return "should be a finite number, not infinity or NaN"
    passes = (Output, Unknown, Resource, Asset, Archive)
    if value is None or isinstance(value, (int, float, *passes)) or inspect.isawaitable(value):
        return None
    return f"cannot be a value of type {type(value).__name__}: {_TAKEN}"


def with_outputs(value: Any) -> Any:
    """The same with an `Output` in place of every awaitable: a coroutine can be awaited only once."""
    if isinstance(value, dict):
        return {key: with_outputs(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_outputs(item) for item in value]
    is_bare = inspect.isawaitable(value) and not isinstance(value, Output)
    return Output.from_input(value) if is_bare else value


def with_secrets(wire: dict[str, Any]) -> dict[str, Any]:
    """The inputs with a mark on what is always a secret: the password of a GitOps engine's source.

    Where the engine is an output as a whole, the program has to mark it.
    """
    addons = _mapping(wire.get("addons"))
    engine = _mapping(addons.get("gitOpsEngine"))
    source = engine.get("source")
    if isinstance(source, Output):
        marked: Any = Output.secret(source)
    elif isinstance(source, dict) and source.get("password") is not None:
        marked = {**source, "password": Output.secret(source["password"])}
    else:
        return wire
    return {**wire, "addons": {**addons, "gitOpsEngine": {**engine, "source": marked}}}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def imported_id(
    imported: object, given: object, resource_name: str, *, field: str = "name", noun: str = "cluster"
) -> str:
    """The ID of what the option `import_` takes over, which is an input too.

    Raises:
        InputError: It is an output, or not the same as the input `field`, if that is not the default.
    """
    if not isinstance(imported, str):
        raise InputError(field, f"`import_` should be the {field} of the {noun} as a string, not an output")
    if given not in (imported, resource_name):
        what = "an output" if isinstance(given, Output) else shown(given)
        raise InputError(field, f"is {what}, but `import_` imports {noun} {shown(imported)}: use the same {field}")
    return imported


class Marks:
    """The paths of what is marked as secret in inputs, to be sent along with them; None if nothing is.

    Awaiting it looks into every `Output`. It comes before the inputs themselves, so a mistake in one is found here.
    """

    def __init__(
        self, resource: Resource, resource_name: str, wire: Mapping[str, Any], kind: str = "OmniCluster"
    ) -> None:
        """Belong to a resource of a class and its inputs, in their form on the wire."""
        self._resource = resource
        self._resource_name = resource_name
        self._kind = kind
        self._wire = wire

    def __await__(self) -> Generator[Any, None, list[list[str | int]] | None]:
        return self._found().__await__()

    async def _found(self) -> list[list[str | int]] | None:
        with reported(self._resource_name, self._kind):
            await look_at_settings(self._resource, self._wire)
            return [list(path) async for path in _marked(self._wire, ())] or None


async def _marked(value: Any, path: FieldPath) -> AsyncIterator[FieldPath]:
    secret = False
    if isinstance(value, Output):
        secret = await value.is_secret()
        value = await value.future(with_unknowns=True) if await value.is_known() else None
        refuse_unsendable(value, path)
    if secret:
        if why := next(filter(None, map(_why_in_clear, _paths(value, path))), None):
            raise invalid(path, _IN_CLEAR.replace("{why}", why))
        yield path
        return
    for part, item in _items(value) or ():
        async for found in _marked(item, (*path, part)):
            yield found


def _paths(value: Any, path: FieldPath) -> Iterator[FieldPath]:
    """The paths of all that is in a value; its own if it is no collection."""
    items = _items(value)
    if items is None:
        yield path
    for part, item in items or ():
        yield (*path, part)
        yield from _paths(item, (*path, part))


def _why_in_clear(path: FieldPath) -> str | None:
    """Why a value is in plain text even if it is marked; None if it is not."""
    match path:
        case ("name",) | ("endpoint",) | ("machineId",) | ("machines", str()):
            return _STORED
        case ("controlPlane", "machines", int()) | ("workers", int(), "machines", int()) | ("workers", int(), "name"):
            return _STORED
        case ("kubeconfig", "context" | "file"):
            return _NAMED
    return None
