"""What may be shown of what a user wrote: the one place that decides it, for every message of this package.

Three rules, from the narrowest to the widest:

* A private key, and what looks like the key of a service account, is never shown (`without_keys`). `KsailPulumiError`
  applies it to its own text, so no error is an exception.
* A value of an input is shown only where its field cannot hold a secret, and in at most `MAX_SHOWN` characters
  (`shown`). Elsewhere its kind stands for it (`kind_of`).
* Texts of Omni and Talos quote what they do not like. `Gate` puts `…` in place of the values that it knows.
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
"""What stands in place of a value that is not shown."""

MAX_SHOWN = 60
"""How many characters of a value are shown at most."""

SERVICE_ACCOUNT_KEY = "a service account key of Omni"
PRIVATE_KEY = "a private key"
KEY_BELONGS = (
    "A service account key belongs in the environment variable OMNI_SERVICE_ACCOUNT_KEY, or in the stack's "
    "configuration: `pulumi config set --secret omni:serviceAccountKey`"
)

# In a `repr` and in JSON the line ends of a key are written as \n.
_ARMOR = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|.*)", re.DOTALL
)
# What `{"`, and `{` before a space or the end of a line, become in base64. Its lines may be wrapped.
_ENCODED = re.compile(r"(?:eyJ[\w+/=.-]{17,}|(?:ey[A-I]|ew[0-1k-p])[\w+/=.-]{37,})(?:(?:\s|\\[rn])+[\w+/=-]{20,})*")


def looks_like(text: str) -> str | None:
    """What kind of key a text looks like, in words; None for anything else."""
    if _ARMOR.search(text):
        return PRIVATE_KEY
    return SERVICE_ACCOUNT_KEY if _ENCODED.search(text) or "pgp_key" in text else None


def without_keys(text: str) -> str:
    """The text with `…` in place of private keys and of what looks like a service account key."""
    if "PRIVATE KEY" in text:
        text = _ARMOR.sub(HIDDEN, text)
    return _ENCODED.sub(HIDDEN, text)


def shown(value: Any) -> str:
    """A value of a field that cannot hold a secret, as messages quote it."""
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= MAX_SHOWN and not looks_like(value) else "a long text"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= _LONGEST_NUMBER:
        return "a number that is too large"  # for a float, and perhaps even for Python to write out
    if isinstance(value, int | float):
        return f"the number {value:.15g}"  # Pulumi sends every number as a float
    return kind_of(value)


_LONGEST_NUMBER = 10**15


def no_variable(name: str) -> str | None:
    """Why a text cannot be the name of an environment variable that holds a key; None if it can."""
    if (what := looks_like(name)) is not None:
        return f"should be the name of an environment variable, but looks like {what}. {KEY_BELONGS}"
    if not _VARIABLE.fullmatch(name):
        return "should be the name of an environment variable, like OMNI_SERVICE_ACCOUNT_KEY"
    return None


_VARIABLE = re.compile(rf"[A-Za-z_][A-Za-z0-9_.-]{{0,{MAX_SHOWN - 1}}}")


def kind_of(value: Any) -> str:
    """What kind of value it is, in place of the value itself."""
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
    """A text that cannot hold a secret, such as the name of a file: its end, where it is long."""
    return text if len(text) <= MAX_SHOWN else f"{HIDDEN}{text[1 - MAX_SHOWN :]}"


class Gate:
    """Keeps values that it knows out of texts. They are looked up when the first text comes."""

    def __init__(
        self, secret: Callable[[], Iterable[str]] = tuple, private: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """Make a gate.

        Args:
            secret: Values that may stand in no text at all: the user has marked them as secret.
            private: Values that may not stand in texts of others: what patches, manifests, labels and annotations
                hold. Our own texts never quote those, and may use the same words (`workers`, `3`) for something else.
        """
        self._secret = secret
        self._private = private

    def ours(self, text: str) -> str:
        """A text of this package."""
        return without_keys(_masked(text, self._secret_forms))

    def theirs(self, text: str) -> str:
        """A text of Omni or Talos."""
        return without_keys(_masked(text, self._all_forms))

    @cached_property
    def _secret_forms(self) -> tuple[str, ...]:
        return _forms(self._secret())

    @cached_property
    def _all_forms(self) -> tuple[str, ...]:
        return _forms((*self._secret(), *self._private()))


_current: ContextVar[Gate] = ContextVar("ksail-pulumi-gate", default=Gate())  # noqa: B039 - it is immutable


@contextmanager
def behind(gate: Gate) -> Iterator[None]:
    """Let what others say pass through a gate, in this thread and for as long as the block runs."""
    token = _current.set(gate)
    try:
        yield
    finally:
        _current.reset(token)


def quoted(text: str) -> str:
    """A text of Omni or Talos as it may be shown in this call of the engine."""
    return _current.get().theirs(text)


# A value that is so short stands in many a word; it is taken out only where it is a word by itself.
_SHORT = 8
# Go's YAML library cuts the value that it quotes: "cannot unmarshal !!str `abcdefg...` into bool".
_GO_CUT = 7
_GO_UNCUT = 10
_NEVER = frozenset({"", "true", "false", "null", "none", "yes", "no", "on", "off", "~", "{}", "[]"})


def _forms(values: Iterable[str]) -> tuple[str, ...]:
    """The ways in which values are quoted: whole, line by line, with escapes, cut off; the longest first."""
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
