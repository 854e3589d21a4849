"""What a project's requirements name: the package as it is installed here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

PACKAGE = "ksail-pulumi"


@dataclass(frozen=True)
class Requirement:
    """A line of requirements.txt.

    Attributes:
        line: The line.
        remark: What to know about it, a whole sentence; `""` for a release from a package index.
    """

    line: str
    remark: str = ""


def requirement() -> Requirement:
    """The requirement that installs the package once more.

    Installers record where a package came from if it was no package index (PEP 610).
    """
    package = metadata.distribution(PACKAGE)
    record = json.loads(package.read_text("direct_url.json") or "{}")
    url = record.get("url", "")
    if not url:
        return Requirement(f"{PACKAGE}=={package.version}")
    if commit := record.get("vcs_info", {}).get("commit_id"):
        url = f"{record['vcs_info']['vcs']}+{url}@{commit}"
    elif url.startswith("file:"):
        return _on_this_computer(url, editable=record.get("dir_info", {}).get("editable", False))
    return Requirement(f"{PACKAGE} @ {url}", f"requirements.txt installs {PACKAGE} from {url}")


def _on_this_computer(url: str, *, editable: bool) -> Requirement:
    path = Path(unquote(urlsplit(url).path))
    remark = f"requirements.txt installs {PACKAGE} from {path}: on another computer, change that path"
    if not path.exists():
        remark = (
            f"requirements.txt names {path}, which no longer exists: put the package back there, or change that path"
        )
    return Requirement(f"-e {path}" if editable else f"{PACKAGE} @ {url}", remark)
