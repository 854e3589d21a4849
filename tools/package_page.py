"""What the page of the package on PyPI shows: the README, and addresses of the project.

The workflow of a release knows the repository and the tag: then the relative links of the README lead there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")


class PackagePage(MetadataHookInterface):
    """Adds the README and the addresses to the metadata of a wheel or sdist."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if {"GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_REF_NAME"} <= os.environ.keys():
            home = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
            ref = os.environ["GITHUB_REF_NAME"]
            metadata["urls"] = {
                "Homepage": home,
                "Documentation": f"{home}/blob/{ref}/docs/README.md",
                "Changelog": f"{home}/blob/{ref}/CHANGELOG.md",
                "Issues": f"{home}/issues",
            }
            readme = _RELATIVE.sub(
                lambda link: f"{link[1]}[{link[2]}]({home}/{_kind(link[1])}/{ref}/{link[3]})", readme
            )
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}


def _kind(picture: str) -> str:
    """The part of an address on GitHub: pictures need the file itself, others its page."""
    return "raw" if picture else "blob"
