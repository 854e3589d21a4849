"""The build that this one is compared with, in a second checkout."""

from __future__ import annotations

import compileall
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lab import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "d36ab4c"


@contextmanager
def earlier_build() -> Iterator[Path]:
    """A checkout of `COMMIT`, with compiled bytecode like this one. It runs in the same environment."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "earlier"
        _git("worktree", "add", "--detach", str(folder), COMMIT)
        try:
            for tree in (ROOT, folder):
                compileall.compile_dir(tree / "ksail_pulumi", quiet=1)
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)
