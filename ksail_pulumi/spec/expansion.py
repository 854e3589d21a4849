"""`${NAME}` in the files of a KSail project, with KSail's own rules (its pkg/envvar).

`${NAME}`, `${NAME:-default}` and `${NAME:=default}` are replaced; a variable that is set wins even when it is empty.
`$NAME`, `${}` and `$$` stay as they are; there is no way to escape.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_]*)(?::[-=]([^}]*))?\}")


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[tuple[str, int]]]:
    """Replace the references in a text.

    Returns:
        The text, and each variable that is not set and has no default, with its lines; such a reference becomes empty.
    """
    missing: dict[tuple[str, int], None] = {}
    line, counted = 1, 0

    def value(match: re.Match[str]) -> str:
        nonlocal line, counted
        name, default = match.groups()
        if name in environ:
            return environ[name]
        if default is None:
            line, counted = line + text.count("\n", counted, match.start()), match.start()
            missing[name, line] = None
            return ""
        return default

    # Nothing behind the last brace can match, and looking for its end from every `${` on would take for ever.
    end = text.rfind("}") + 1
    return _REFERENCE.sub(value, text[:end]) + text[end:], list(missing)
