"""Removes secrets from the lines of a machine's log, whose writers and formats are unknown.

What looks like a secret is hidden, so a harmless value may be hidden too. The time is linear in the length of a line:
each search either moves on or is bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ksail_pulumi.redaction import ARMOR, HIDDEN, quoted, without_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[\w.-]++(?:\s[Kk]ey\b)?")
_OF_SECRET = re.compile(
    r"token|secret|passw|passphrase|passcode|pwd|credential|cookie|signature|basic[-_]?auth"
    r"|(?:access|account|api|client|encryption|host|private|shared|signing|ssh)[-_. ]?key|key[-_.]?data"
    r"|(?:^|[._-])(?:auth|pass|psk)$",
    re.IGNORECASE,
)
# In JSON that is quoted in JSON or in Go, quotes have backslashes.
_QUOTE = r"\\{0,7}[\"'`]"
_SEPARATOR = re.compile(rf"(?:{_QUOTE})?\s{{0,4}}(?::=|=>|[=:])\s{{0,4}}")
_SPACE = re.compile(r"\s{1,4}")
_OPENING = re.compile(_QUOTE)
_UNQUOTED = re.compile(r"\S++")
_COLLECTIONS = ("[", "{", "(")

# A token in a header, a bootstrap token of Kubernetes.
_CREDENTIAL = re.compile(
    r"(?P<before>\b(?:bearer|basic|authorization:\s{0,4}\w{1,20})\s{1,4})[^\s\"']++"
    r"|(?<![\w.])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.])",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"[^\s\"'`]++")
_NO_USER = re.compile(r"[^/?#@:]*+(?::\d*+)?(?:[/?#,;)\\].*)?")
# `-----BEGIN` in base64, and any base64 that is long enough for a key. A path or a digest in hexadecimal is none.
_ENCODED_PEM = re.compile(r"LS0tLS1CRUdJTi[\w+/=-]*+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}+={0,2}")
_KINDS_OF_CHARACTERS = tuple(map(re.compile, ("[A-Z]", "[a-z]", "[0-9]")))
_OPENED_BEFORE = re.compile(r"\A(?:(?!-----BEGIN ).)*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----", re.DOTALL)


def without_secrets(lines: Iterable[str]) -> list[str]:
    """The lines of one log without keys, tokens and passwords, as printable text.

    Args:
        lines: The lines in order. The first ones may be the end of a private key that began before them.

    Returns:
        As many lines; those within a private key are empty.
    """
    text = "\n".join(line.replace("\n", " ") for line in lines)
    for key in (_OPENED_BEFORE, ARMOR):
        text = key.sub(lambda found: HIDDEN + "\n" * found[0].count("\n"), text)
    return [_without_secrets(quoted(line)) for line in text.split("\n")]


def _without_secrets(line: str) -> str:
    line = _IN_URL.sub(_without_user, _without_settings(line))
    line = _CREDENTIAL.sub(lambda found: f"{found['before'] or ''}{HIDDEN}", line)
    line = _BASE64.sub(lambda found: HIDDEN if _may_be_key(found[0]) else found[0], _ENCODED_PEM.sub(HIDDEN, line))
    return without_keys(line)


def _without_settings(line: str) -> str:
    """The line without the values of settings with the name of a secret: `token=…`, `"token": "…"`, `--token …`."""
    parts, end = [], 0
    # The search is in words, because a pattern for the whole would take time with the square of the length.
    for word in _WORD.finditer(line):
        if word.start() < end or not _OF_SECRET.search(word[0]):
            continue
        separator = _SEPARATOR.match(line, word.end())
        if separator is None and word[0].startswith("-"):
            separator = _SPACE.match(line, word.end())
        if separator is not None and separator.end() < len(line):
            opening = _OPENING.match(line, separator.end())
            begin = opening.end() if opening else separator.end()
            parts += [line[end:begin], HIDDEN]
            end = _end_of_value(line, begin, opening[0] if opening else "")
    return "".join([*parts, line[end:]])


def _end_of_value(line: str, begin: int, quote: str) -> int:
    """Where a value ends: at its closing quote, or else at a space; a collection at the end of the line."""
    if not quote:
        value = _UNQUOTED.match(line, begin)
        return value.end() if value and value[0][0] not in _COLLECTIONS else len(line)
    end = line.find(quote, begin)
    while end >= 0:
        doubled = line.startswith(quote, end + len(quote))
        if not doubled and (end == begin or line[end - 1] != "\\"):
            return end
        end = line.find(quote, end + len(quote) * (1 + doubled))
    return len(line)


def _without_user(run: re.Match[str]) -> str:
    """A part of the line without user and password in its URLs; a password may contain `@`, `/` and `:`."""
    text = run[0]
    address, last = text.find("://"), text.rfind("@")
    while 0 <= address < last:
        address += len("://")
        end = text.find("://", address)
        if not _NO_USER.fullmatch(text, address, end if end >= 0 else len(text)):
            return f"{text[:address]}{HIDDEN}{text[last:]}"
        address = end
    return text


def _may_be_key(text: str) -> bool:
    return all(kind.search(text) for kind in _KINDS_OF_CHARACTERS)
