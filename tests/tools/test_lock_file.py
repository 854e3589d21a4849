"""What everybody downloads comes from the public registry, wherever the lock file was last written."""

from __future__ import annotations

import re
from pathlib import Path

LOCK = Path(__file__).parents[2] / "uv.lock"


def test_the_lock_file_names_no_other_host() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", LOCK.read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
