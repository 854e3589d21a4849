"""The blocks of code in the documents, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.documents import ROOT, documents

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SEPARATORS = {";", "&&", "||", "|", "(", ")", ">", ">>"}
_PLACEHOLDER = re.compile(r"<[\w ]+>")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        document: The document, by its path from the root.
        line: The number of its first line.
        language: Its language, `""` if it has none.
        text: Its lines.
    """

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """The blocks of all documents in these languages, or in any."""
    found = [block for each in documents() for block in _blocks(each)]
    return [block for block in found if not languages or block.language in languages]


def commands(block: Block) -> list[list[str]]:
    """The commands in a block for a console or a shell: each as a list of its arguments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    prompts = any(line.startswith("$ ") for line in lines)
    found = []
    for line in lines:
        if not prompts or line.startswith("$ "):
            found += _split(_PLACEHOLDER.sub("PLACEHOLDER", line.removeprefix("$ ")))
    return found


def _blocks(document: Path) -> list[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, found.start()) + 2, found[2], found[3]) for found in _BLOCK.finditer(text)
    ]


def _split(line: str) -> list[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in _SEPARATORS:
            found.append([word] if word.startswith(">") else [])
        else:
            found[-1].append(word)
    # What a redirection writes is no command.
    return [each for each in found if each and not each[0].startswith(">")]
