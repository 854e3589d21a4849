"""Write the lists of error texts in docs/messages.md: `make args`.

python tools/list_errors.py            write them
python tools/list_errors.py --check    fail if they are not as they would be written

The document has the causes and the fixes. A list begins with a line that names the modules whose texts it has.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from list_texts import ERRORS, VALUE, Text, name_called, places, texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "messages.md"
END = "<!-- end -->"

_MARK = re.compile(rf"^(<!-- texts of (.*?) -->\n).*?^{END}$", re.MULTILINE | re.DOTALL)
_MAKES_ERRORS = ERRORS | {
    "Problem",
    "PydanticCustomError",
    "CheckFailure",
    "invalid",
    "_invalid",
    "_wrong",
    "_fail",
    "error",
    "omni_error",
}
_REASONS = (
    "errors.py:*",
    "lifecycle/delete.py:*",
    "lifecycle/machine_class.py:*",
    "lifecycle/ownership.py:*",
    "lifecycle/revert.py:*",
    "lifecycle/waiting/view.py:*",
    "lifecycle/waiting/watch.py:*",
    "lifecycle/preview.py:_missing",
    "model/*:*",
    "omni/endpoint.py:*",
    "omni/signature.py:*",
    "omni/status.py:*",
    "omni/tls.py:*",
    "plan/backups.py:*",
    "plan/limits.py:*",
    "plan/server_age.py:*",
    "provider/declaring.py:*",
    "provider/paths.py:*",
)
"""Modules and functions whose texts are all parts of errors, which others make."""

_FORMAT_OF_TIME = re.compile(r"%[A-Za-z]")
_LEAST_WORDS = 4  # fewer are a part of a text, such as the name of a thing


def errors() -> dict[str, list[str]]:
    """The texts of errors of each module, in the order of the code."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    raising = {(place.module, place.function) for place in places() if name_called(place.node) in _MAKES_ERRORS}
    raising |= {(module, "") for module, _ in raising if not module.startswith("cli/")}
    for text in texts():
        if _is_error(text, raising):
            found[text.module][_shown(text)] = None
    return {module: list(its) for module, its in found.items()}


def filled(document: str, found: Mapping[str, Sequence[str]]) -> str:
    """The document with its lists as they should be, from the texts of each module."""

    def fill(mark: re.Match[str]) -> str:
        listed = [text for module, its in found.items() if _one_of(module, mark[2].split()) for text in its]
        return mark[1] + "".join(f"\n* {_code(text)}" for text in dict.fromkeys(listed)) + f"\n\n{END}"

    return _MARK.sub(fill, document)


def unlisted(document: str, modules: Iterable[str]) -> dict[str, int]:
    """The modules with errors that are not in exactly one list, each with the number of its lists."""
    lists = [mark[2].split() for mark in _MARK.finditer(document)]
    counts = {module: sum(_one_of(module, each) for each in lists) for module in modules}
    return {module: count for module, count in counts.items() if count != 1}


def _one_of(module: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(module, pattern) for pattern in patterns)


def _is_error(text: Text, raising: Collection[tuple[str, str]]) -> bool:
    if text.maker in _MAKES_ERRORS:
        return text.text != VALUE and not _FORMAT_OF_TIME.search(text.text)
    words = re.findall(r"[A-Za-z]{2,}", text.text)
    if text.maker or len(words) < _LEAST_WORDS or _FORMAT_OF_TIME.search(text.text):
        return False
    # A text may be made next to the error that gets it.
    place = (text.module, text.function)
    return place in raising or _one_of(":".join(place), _REASONS)


def _shown(text: Text) -> str:
    return re.sub(r"\{\w*\}|\{…\}", "…", " ".join(text.text.split())).strip(" .:;,")


def _code(text: str) -> str:
    """A text between more backticks than it has, as code."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def main() -> int:
    """Write the document, or with `--check` report whether it is as it would be written."""
    document = DOCUMENT.read_text(encoding="utf-8")
    content = filled(document, errors())
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(content, encoding="utf-8")
        return 0
    if content != document:
        print("docs/messages.md does not list the texts of the code: run `make args`", file=sys.stderr)
    return 1 if content != document else 0


if __name__ == "__main__":
    sys.exit(main())
