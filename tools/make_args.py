"""Write what says the same as the models of the inputs: their classes, public names, documentation, plugin schema.

python tools/make_args.py            write it
python tools/make_args.py --check    fail if anything differs from what would be written
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import plugin_schema
from input_fields import ALWAYS_SET, RESOURCES, Input, Part, Shape, parts
from ksail_pulumi.formats.descriptions import first_sentence
from ksail_pulumi.lifecycle.outputs import FACTS, stored_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
INPUTS = "ksail_pulumi/provider/inputs.py"
FIELDS = "ksail_pulumi/provider/fields.py"
PUBLIC = "ksail_pulumi/__init__.py"
DOCUMENT = "docs/configuration.md"
SCHEMA = "ksail_pulumi/provider/plugin/schema.json"

_WIDTH = 120
_INDENT = " " * 4
_HEAD = '''"""What an `OmniCluster` is made from: each input as a class and as a dictionary.

Written by `make args` from the models in `ksail_pulumi/model`. Change these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from pulumi import Input
'''

_FIELDS_HEAD = '''"""The names of the inputs, and each input of an `OmniCluster` as an output.

Apart from the classes of the inputs: these are slow to import, and the provider process does not need them.

Written by `make args` from the models in `ksail_pulumi/model`. Change these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Output
'''


def written() -> dict[str, str]:
    """The content of every file that is written, by its path."""
    found = parts()
    names = [f"{part.name}Args{suffix}" for part in _with_classes(found) for suffix in ("", "Dict")]
    public = (ROOT / PUBLIC).read_text()
    others = [name for name in re.findall(r'^    "(\w+)",$', public, re.MULTILINE) if "Args" not in name]
    imports = f"    from ksail_pulumi.provider.inputs import ({', '.join(sorted(names, key=str.lower))},)\n"
    public = _between(public, "    # make args: imports", imports)
    listed = "".join(f'    "{name}",\n' for name in sorted([*others, *names]))
    public = _between(public, "    # make args: names", listed)
    document = _between((ROOT / DOCUMENT).read_text(), "<!-- make args -->", "\n".join(_document(found)))
    return {
        INPUTS: _formatted(INPUTS, "\n\n".join([_HEAD, *_classes(found)])),
        FIELDS: _formatted(FIELDS, "\n\n".join([_FIELDS_HEAD, *_names(found)])),
        PUBLIC: _formatted(PUBLIC, public),
        DOCUMENT: document,
        SCHEMA: plugin_schema.text(),
    }


def _between(text: str, mark: str, content: str) -> str:
    """The text with the content between two lines that say `mark`."""
    before, _, after = text.split(f"{mark}\n")
    return f"{before}{mark}\n{content}{mark}\n{after}"


def _formatted(path: str, source: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", path, "-"]
    return subprocess.run(command, input=source, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _with_classes(found: Sequence[Part]) -> list[Part]:
    """The parts with classes of their own: the resources other than clusters take keyword arguments only."""
    resources = [model.__name__ for model in RESOURCES.values()]
    return [part for part in found if part.name not in resources]


def _classes(found: Sequence[Part]) -> Iterator[str]:
    for part in _with_classes(found):
        yield "\n".join(_class(part))
    for part in _with_classes(found):
        yield "\n".join(_dictionary(part))


def _names(found: Sequence[Part]) -> Iterator[str]:
    yield "\n".join(_outputs(found[-1]))
    yield "\n".join(_table(found))


def _class(part: Part) -> Iterator[str]:
    yield "@dataclass(frozen=True, kw_only=True)"
    yield f"class {part.name}Args:"
    yield _docstring(part.description)
    for each, name, description in _fields(part):
        default = "field(default=None, repr=False)" if each.private else "None"
        yield f"    {name}: {_input_type(each)} | None = {default}"
        yield _docstring(description)


def _dictionary(part: Part) -> Iterator[str]:
    yield f"class {part.name}ArgsDict(TypedDict, total=False):"
    yield _docstring(part.description)
    for each, name, description in _fields(part):
        yield f"    {name}: {_input_type(each)}"
        yield _docstring(description)


def _fields(part: Part) -> Iterator[tuple[Input, str, str]]:
    for each in part.inputs:
        yield each, each.name, each.description
        if each.former:
            yield each, each.former, f"Deprecated: the former name of `{each.name}`."


def _docstring(text: str) -> str:
    return textwrap.fill(f'"""{text}"""', _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT) + "\n"


def _input_type(each: Input) -> str:
    return _alternatives(each.shapes) if each.plain else _wrapped(each.shapes)


def _wrapped(shapes: Sequence[Shape]) -> str:
    """A type with room for outputs."""
    inner = _alternatives(shapes)
    return inner if inner == "Any" else f"Input[{inner}]"


def _alternatives(shapes: Sequence[Shape]) -> str:
    return " | ".join(dict.fromkeys(map(_python_type, shapes)))


def _python_type(shape: Shape) -> str:
    match shape.kind:
        case "any":
            return "Any"
        case "literal":
            return f"Literal[{', '.join(map(repr, shape.values))}]"
        case "list":
            return f"Sequence[{_wrapped(shape.items)}]"
        case "map":
            return f"Mapping[str, {_wrapped(shape.items)}]"
        case "part":
            return f"{shape.part}Args | {shape.part}ArgsDict"
        case scalar:
            return scalar


def _outputs(cluster: Part) -> Iterator[str]:
    yield "class InputOutputs:"
    yield _docstring("Every input of an `OmniCluster` as an output. Mappings in them have keys in camelCase.")
    for each in cluster.inputs:
        key = stored_name(each.wire)
        name = _snake_case(key) if each.wire in FACTS else each.name
        optional = "" if each.name in ALWAYS_SET else " | None"
        yield "    @property"
        yield f"    def {name}(self) -> Output[{_output_type(each.shapes)}{optional}]:"
        yield f'        """{first_sentence(each.description)}"""'
        yield f'        return self._output("{key}")\n'
    yield "    def _output(self, key: str) -> Output[Any]:"
    yield '        return cast("Output[Any]", self.__dict__[key])'


def _output_type(shapes: Sequence[Shape]) -> str:
    kinds = {"literal": "str", "part": "dict[str, Any]", "any": "Any"}

    def one(shape: Shape) -> str:
        if shape.kind in ("list", "map"):
            item = _output_type(shape.items)
            return f"list[{item}]" if shape.kind == "list" else f"dict[str, {item}]"
        return kinds.get(shape.kind, shape.kind)

    return " | ".join(dict.fromkeys(map(one, shapes)))


def _snake_case(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()


def _table(found: Sequence[Part]) -> Iterator[str]:
    yield "class Field(NamedTuple):"
    yield _docstring(
        "A field: its name on the wire, the part in it, and its kind: `list`, `map`, `any`, or else empty."
    )
    yield "    wire: str"
    yield '    part: str = ""'
    yield '    kind: str = ""\n\n'
    yield "FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {"
    for part in found:
        yield f'"{part.name}": {{'
        for each, name, _ in _fields(part):
            yield f'"{name}": {_field(each)},'
        yield "},"
    yield "}"
    yield '"""The fields of each part, by their names in Python."""\n'
    former = {each.former: each.name for each in found[-1].inputs if each.former}
    yield f"FORMER_NAMES: Final[Mapping[str, str]] = {former!r}"
    yield '"""Inputs of a cluster under names that they no longer have, and the names that they have."""'


def _field(each: Input) -> str:
    kinds = set(_kinds(each.shapes))
    values = [
        each.wire,
        next(_parts(each.shapes), ""),
        next((kind for kind in ("any", "list", "map") if kind in kinds), ""),
    ]
    while not values[-1]:
        values.pop()
    return f"Field({', '.join(map(json.dumps, values))})"


def _kinds(shapes: Sequence[Shape]) -> Iterator[str]:
    for shape in shapes:
        yield shape.kind
        yield from _kinds(shape.items)


def _parts(shapes: Sequence[Shape]) -> Iterator[str]:
    for shape in shapes:
        if shape.part:
            yield shape.part
        yield from _parts(shape.items)


def _document(found: Sequence[Part]) -> Iterator[str]:
    by_name = {part.name: part for part in found}
    roots = {"OmniCluster": "OmniCluster"} | {model.__name__: name for name, model in RESOURCES.items()}
    order = dict.fromkeys(name for root in roots for name in (root, *_below(root, by_name)))
    for name in order:
        part = by_name[name]
        if name != "OmniCluster":
            yield f"\n### {roots.get(name, f'{name}Args')}\n\n{part.description}"
        yield "\n| input | type | meaning |\n|---|---|---|"
        for each in part.inputs:
            yield f"| `{each.name}` | {_shown_type(each.shapes)} | {each.description} |"
    yield "\n"


def _below(name: str, by_name: Mapping[str, Part]) -> Iterator[str]:
    """The parts of a part, each before its own."""
    for each in by_name[name].inputs:
        for inner in _parts(each.shapes):
            yield inner
            yield from _below(inner, by_name)


def _shown_type(shapes: Sequence[Shape]) -> str:
    return " or ".join(dict.fromkeys(map(_shown_shape, shapes)))


def _shown_shape(shape: Shape) -> str:
    match shape.kind:
        case "any":
            return "anything"
        case "literal":
            return "`str`"
        case "list":
            return f"list of {_shown_type(shape.items)}"
        case "map":
            return "mapping" if shape.items[0].kind == "any" else f"mapping to {_shown_type(shape.items)}"
        case "part":
            return f"[`{shape.part}Args`](#{shape.part.lower()}args)"
        case scalar:
            return f"`{scalar}`"


def main() -> int:
    """Write the files, or with `--check` say which are not as they would be written."""
    stale = {path: content for path, content in written().items() if (ROOT / path).read_text() != content}
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} does not say what the models say: run `make args`", file=sys.stderr)
        return 1 if stale else 0
    for path, content in stale.items():
        (ROOT / path).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
