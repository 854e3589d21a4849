"""Writes YAML exactly as omnictl does.

omnictl decodes an inline patch and encodes it again with go-yaml v3 (four spaces, sorted keys). Omni stores and
compares this text. Another layout of the same data would be a change in `omnictl cluster template diff`, so this
encoder gives the same bytes as go-yaml for plain JSON data. They are: keys in natural order, sequences
indented, lines never folded, quotes only where a reader would otherwise not get the same string back.

There are three differences: go-yaml loses the first line break of a string that starts with one, and writes multi-line
strings that start with a tab, or with a space in a sequence, in a form that cannot be read back. Here they are quoted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

_STEP = 4
_PRECISION = 6  # of Go's shortest %g, before it turns to an exponent
_LONGEST_KEY = 128  # of a key written without "? ", as in libyaml

# Texts that go-yaml does not read as a string without quotes (YAML 1.2 core, plus YAML 1.1 leftovers
# that it quotes for the sake of older readers).
_NOT_STRINGS = frozenset(
    word
    for line in (
        "true True TRUE false False FALSE null Null NULL ~",
        ".nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF",
        "y Y yes Yes YES on On ON n N no No NO off Off OFF",
    )
    for word in line.split()
) | {""}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<sep>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})"
    r"(?:[.,][0-9]+)?(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Lists what is not printable: CPython 3.11 compiles this ten times faster than the negation of what is.
_UNPRINTABLE_CHARACTERS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe-\U0010ffff"
_UNPRINTABLE = re.compile(f"[{_UNPRINTABLE_CHARACTERS}]")
_NEEDS_ESCAPES = re.compile(rf"[{_UNPRINTABLE_CHARACTERS}\t\n\u2028\u2029]")
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


class InOrder(dict[str, Any]):
    """A mapping that keeps the order of its keys, like a Go struct in go-yaml."""


def encode(value: Any) -> str:
    """Encode plain JSON data (mappings, lists, strings, numbers, booleans, None) as one YAML document."""
    lines: list[str] = []
    _write(value, 0, "", lines, in_sequence=False)
    return "\n".join(lines) + "\n"


def _write(value: Any, indent: int, lead: str, lines: list[str], *, in_sequence: bool) -> None:
    """Append `value` behind `lead`, which is what its first line starts with (`key:`, `-` or nothing).

    `indent` is the column of the block that the value stands in.
    """
    if isinstance(value, Mapping) and value:
        _write_mapping(value, _column(indent, lead, in_sequence), lead, lines, in_sequence=in_sequence)
    elif isinstance(value, list | tuple) and value:
        _write_sequence(value, _column(indent, lead, in_sequence), lead, lines, in_sequence=in_sequence)
    else:
        space = " " if lead else ""
        text = _scalar(value, indent, _column(indent, lead, in_sequence))
        lines.append(f"{lead}{space}{text}")


def _aligned(indent: int) -> int:
    """The distance to the next column: columns are multiples of the step, also below a `- `."""
    return _STEP * ((indent + _STEP) // _STEP) - indent


def _column(indent: int, lead: str, in_sequence: bool) -> int:
    if not lead:
        return indent
    return indent + 2 if in_sequence else indent + _aligned(indent)


def _write_mapping(value: Mapping[Any, Any], column: int, lead: str, lines: list[str], *, in_sequence: bool) -> None:
    first = _opening(lead, lines, in_sequence=in_sequence)
    for key in value if isinstance(value, InOrder) else sorted(value, key=_natural_order):
        name = _key(key)
        start = f"{first} {name}" if first else " " * column + name
        first = ""
        _write(value[key], column, f"{start}:", lines, in_sequence=False)


def _write_sequence(value: Any, column: int, lead: str, lines: list[str], *, in_sequence: bool) -> None:
    first = _opening(lead, lines, in_sequence=in_sequence)
    for item in value:
        start = f"{first} -" if first else " " * column + "-"
        first = ""
        _write(item, column, start, lines, in_sequence=True)


def _opening(lead: str, lines: list[str], *, in_sequence: bool) -> str:
    """A collection starts on the line of its `-`, or on the line after its `key:`."""
    if in_sequence or not lead:
        return lead
    lines.append(lead)
    return ""


def _key(key: Any) -> str:
    text = _scalar(key, 0, 0, is_key=True)
    return text if len(text) <= _LONGEST_KEY else f"? {text}\n"


def _scalar(value: Any, indent: int, column: int, *, is_key: bool = False) -> str:
    """A scalar in the block at `indent`; its own lines start at `column`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _string(str(value), indent, column, is_key=is_key)


def _float(value: float) -> str:
    """The shortest text with the same value, in the style of Go's `%g`."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    sign, digits, last = Decimal(repr(value)).as_tuple()
    exponent = len(digits) - 1 + int(last)
    mantissa = "".join(map(str, digits)).rstrip("0") or "0"
    return ("-" if sign else "") + _decimal(mantissa, exponent if value else 0)


def _decimal(mantissa: str, exponent: int) -> str:
    """The digits of a number, without zeros at their ends, the first of which counts as many as ten to `exponent`."""
    if exponent < -4 or exponent >= _PRECISION:
        rest = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        return f"{mantissa[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{mantissa}"
    whole = mantissa[: exponent + 1].ljust(exponent + 1, "0")
    fraction = mantissa[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def _string(text: str, indent: int, column: int, *, is_key: bool) -> str:
    # go-yaml writes an indentation indicator of one step, which is wrong below a "- ".
    hint_holds = text[:1] != " " or column - indent == _STEP
    if "\n" in text and not is_key and hint_holds and _may_be_literal(text):
        return _literal(text, column)
    if "\n" in text or not _reads_as_string(text):
        return _double_quoted(text)
    if _NEEDS_ESCAPES.search(text):
        return _double_quoted(text)
    return text if _may_be_plain(text) else "'" + text.replace("'", "''") + "'"


def _reads_as_string(text: str) -> bool:
    if text in _NOT_STRINGS or _BASE_60.fullmatch(text):
        return False
    first = text[0]
    if first == ".":
        return not _FLOAT.fullmatch(text)
    if first not in "+-0123456789":
        return True
    bare = text.replace("_", "")
    return not (_INTEGER.fullmatch(bare) or _is_float(bare) or _is_timestamp(text))


def _is_float(text: str) -> bool:
    return bool(_FLOAT.fullmatch(text)) and not math.isinf(float(text))


def _is_timestamp(text: str) -> bool:
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return False
    if found["sep"] and (found["sep"] == " ") == bool(found["zone"]):  # a zone goes with T, and only with it
        return False
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + (month == 2 and leap):
        return False
    return not found["sep"] or (int(found["hour"]) < 24 and int(found["minute"]) < 60 and int(found["second"]) < 60)


def lost_in_list(text: str) -> bool:
    """Whether go-yaml cannot read its own YAML of a text that stands in a list, or in a mapping in a list.

    It writes several lines as they are. If the first one begins with a blank, or is empty, it also writes by how much
    they are indented, and below a `- ` it writes the wrong number. A tab at the beginning it cannot read anywhere.
    """
    return "\n" in text and text[0] in " \t\n" and _go_writes_lines(text)


def _may_be_literal(text: str) -> bool:
    return text[0] not in "\n\t" and _go_writes_lines(text)


def _go_writes_lines(text: str) -> bool:
    """Whether go-yaml writes a text of several lines as they are, and not in quotes."""
    if any(line.endswith(" ") for line in text.split("\n")):
        return False
    return not _UNPRINTABLE.search(text)


def _may_be_plain(text: str) -> bool:
    if text[0] == " " or text[-1] == " " or text.startswith(("---", "...")):
        return False
    following = text[1:2]
    if text[0] in "#,[]{}&*!|>'\"%@`" or (text[0] in "?:-" and following in ("", " ")):
        return False
    return ": " not in text and not text.endswith(":") and " #" not in text


def _literal(text: str, column: int) -> str:
    hint = str(_STEP) if text[0] == " " else ""
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    chomp = "-" if trailing == 0 else "" if trailing == 1 and body else "+"
    lines = [" " * column + line if line else "" for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    return "\n".join([f"|{hint}{chomp}", *lines])


def _double_quoted(text: str) -> str:
    out = []
    for character in text:
        code = ord(character)
        if character in '"\\' or (character in _ESCAPES and _NEEDS_ESCAPES.match(character)):
            out.append(_ESCAPES[character])
        elif not _NEEDS_ESCAPES.match(character):
            out.append(character)
        else:
            out.append(f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}")
    return '"' + "".join(out) + '"'


def _compare_keys(left: Any, right: Any) -> int:
    left_number, right_number = _number(left), _number(right)
    if left_number is not None and right_number is not None:
        return (left_number > right_number) - (left_number < right_number)
    if not isinstance(left, str) or not isinstance(right, str):
        return isinstance(left, str) - isinstance(right, str)
    return -1 if _before(left, right) else 1 if _before(right, left) else 0


def _number(key: Any) -> float | None:
    return float(key) if isinstance(key, int | float) else None


def _before(left: str, right: str) -> bool:
    """Whether `left` sorts before `right` in natural order: `a2` before `a10`, other characters before letters."""
    after_digits = False
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a == b:
            after_digits = a.isdecimal()
            continue
        if a.isalpha() and b.isalpha():
            return a < b
        if a.isalpha() or b.isalpha():
            return a.isalpha() if after_digits else b.isalpha()
        return _counts_before(left, right, index)
    return len(left) < len(right)


def _counts_before(left: str, right: str, index: int) -> bool:
    """Compare from the first difference on, neither side of it a letter, by the value of the digits there."""
    prefix = 0
    if "0" in (left[index], right[index]):
        before = index
        while before and left[before - 1].isdecimal():
            before -= 1
            if left[before] != "0":
                prefix = 1
                break
    values = []
    for text in (left, right):
        end = index
        value = prefix
        while end < len(text) and text[end].isdecimal():
            value = value * 10 + int(text[end])
            end += 1
        values.append((value, end))
    if values[0] != values[1]:
        return values[0] < values[1]
    return left[index] < right[index]


_natural_order = cmp_to_key(_compare_keys)
