"""Decides which values of the user may appear in messages.

Three rules:

* A private key, and anything that looks like a service account key, is never shown (`without_keys`).
  `KsailPulumiError` applies this to its text, so it holds for every error.
* A value of an input is shown only if its field cannot contain a secret, with at most `MAX_SHOWN` characters (`shown`).
  Otherwise its kind is shown (`kind_of`).
* Texts of Omni and Talos quote values that they refuse. `Gate` replaces the values that it knows by `…`.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HIDDEN = "…"
"""Replaces a value that is not shown."""

MAX_SHOWN = 60
"""The maximum number of characters of a value in a message."""

SERVICE_ACCOUNT_KEY = "a service account key of Omni"
PRIVATE_KEY = "a private key"
KEY_BELONGS = (
    "A service account key belongs in the environment variable OMNI_SERVICE_ACCOUNT_KEY, or in the stack's "
    "configuration: `pulumi config set --secret omni:serviceAccountKey`"
)

# In a `repr` and in JSON the line ends of a key are written as \n.
ARMOR = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|.*)", re.DOTALL
)
# What `{"`, and `{` before a space or the end of a line, become in base64. Its lines may be wrapped.
_ENCODED = re.compile(r"(?:eyJ[\w+/=.-]{17,}|(?:ey[A-I]|ew[0-1k-p])[\w+/=.-]{37,})(?:(?:\s|\\[rn])+[\w+/=-]{20,})*")
# Colours and other sequences for terminals.
_FOR_TERMINAL = re.compile(r"\x1b\[[0-?]*+[ -/]*+[@-~]|\x1b\][^\x07\x1b]*+(?:\x07|\x1b\\)")


def looks_like(text: str) -> str | None:
    """The kind of key that a text looks like, in words; None if it looks like none."""
    if ARMOR.search(text):
        return PRIVATE_KEY
    return SERVICE_ACCOUNT_KEY if _ENCODED.search(text) or "pgp_key" in text else None


def without_keys(text: str) -> str:
    """The text with `…` in place of private keys and of what looks like a service account key."""
    if "PRIVATE KEY" in text:
        text = ARMOR.sub(HIDDEN, text)
    return _ENCODED.sub(HIDDEN, text)


def printable(text: str) -> str:
    """The text without what a terminal would not print but follow; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else " " for each in _FOR_TERMINAL.sub("", text))


def shown(value: Any) -> str:
    """A value of a field that cannot contain a secret, as quoted in messages."""
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= MAX_SHOWN and not looks_like(value) else "a long text"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= _LONGEST_NUMBER:
        return "a number that is too large"  # for a float, and perhaps for `str` too
    if isinstance(value, int | float):
        return f"the number {value:.15g}"  # Pulumi sends every number as a float
    return kind_of(value)


_LONGEST_NUMBER = 10**15


def no_variable(name: str) -> str | None:
    """Why a text cannot be the name of an environment variable with a key; None if it can."""
    if (what := looks_like(name)) is not None:
        return f"should be the name of an environment variable, but looks like {what}. {KEY_BELONGS}"
    if not _VARIABLE.fullmatch(name):
        return "should be the name of an environment variable, like OMNI_SERVICE_ACCOUNT_KEY"
    return None


_VARIABLE = re.compile(rf"[A-Za-z_][A-Za-z0-9_.-]{{0,{MAX_SHOWN - 1}}}")


def kind_of(value: Any) -> str:
    """The kind of a value, for messages that must not show the value."""
    if isinstance(value, str):
        return "text"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return (
        "a mapping"
        if isinstance(value, dict)
        else "a list"
        if isinstance(value, list | tuple)
        else "an unsupported value"
    )


def short(text: str) -> str:
    """A text that cannot contain a secret, such as a file name, shortened to its end."""
    return text if len(text) <= MAX_SHOWN else f"{HIDDEN}{text[1 - MAX_SHOWN :]}"


class Gate:
    """Removes known values from texts. The values are computed at the first text."""

    def __init__(
        self, secret: Callable[[], Iterable[str]] = tuple, private: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """Make a gate.

        Args:
            secret: Values that no text may contain: the user has marked them as secret.
            private: Values that texts of Omni and Talos may not contain: those in patches, manifests, labels and
                annotations. Our own texts never quote them, and may contain the same words (`workers`, `3`).
        """
        self._secret = secret
        self._private = private

    def ours(self, text: str) -> str:
        """A text of this package."""
        return without_keys(_masked(text, self._secret_forms))

    def theirs(self, text: str) -> str:
        """A text of Omni or Talos."""
        return without_keys(printable(_masked(text, self._all_forms)))

    @cached_property
    def _secret_forms(self) -> tuple[str, ...]:
        return _forms(self._secret())

    @cached_property
    def _all_forms(self) -> tuple[str, ...]:
        return _forms((*self._secret(), *self._private()))


_current: ContextVar[Gate] = ContextVar("ksail-pulumi-gate", default=Gate())  # noqa: B039 - it is immutable


@contextmanager
def behind(gate: Gate) -> Iterator[None]:
    """Redact the texts of Omni and Talos by a gate, in this context while the block runs."""
    token = _current.set(gate)
    try:
        yield
    finally:
        _current.reset(token)


def quoted(text: str) -> str:
    """A text of Omni or Talos, redacted for the current call of the engine."""
    return _current.get().theirs(text)


# A short value may be a part of a word; it is removed only as a whole word.
_SHORT = 8
# Go's YAML library cuts the value that it quotes: "cannot unmarshal !!str `abcdefg...` into bool".
_GO_CUT = 7
_GO_UNCUT = 10
_NEVER = frozenset({"", "true", "false", "null", "none", "yes", "no", "on", "off", "~", "{}", "[]"})


def _forms(values: Iterable[str]) -> tuple[str, ...]:
    """The forms in which values are quoted: whole, line by line, escaped, cut off; the longest first."""
    forms: set[str] = set()
    for value in values:
        for text in (value, *value.splitlines()):
            bare = text.strip()
            forms |= {text, bare, json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1]}
            if len(bare) > _GO_UNCUT:
                forms.add(f"{bare[:_GO_CUT]}...")
    return tuple(sorted((form for form in forms if form.lower() not in _NEVER), key=len, reverse=True))


def _masked(text: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        if form not in text:
            continue
        if len(form) >= _SHORT:
            text = text.replace(form, HIDDEN)
        else:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return text
