"""`make docs`: write the documentation as a web site into `build/docs/site`, with Zensical.

The site has the layout of the repository, so the links between the files work on both. Its navigation is that of
`docs/README.md`. A link that leads nowhere, and a page that loads something from another server, are errors.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from documents import ROOT, documents, groups, links

SETTINGS = ROOT / "docs" / "site.yaml"
STAGE = ROOT / "build" / "docs"
SITE = STAGE / "site"

_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")


def staged() -> list[Path]:
    """The files of the site: every document, and every file that one links to."""
    files = {target for document in documents() for target, _ in links(document) if (ROOT / target).is_file()}
    return sorted({*documents(), *files})


def settings() -> dict[str, object]:
    """The settings of Zensical."""
    navigation = [
        {group.title: [{title: str(page)} for title, page in group.pages if page.suffix == ".md"]} for group in groups()
    ]
    fixed: dict[str, object] = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    return {**fixed, "docs_dir": "src", "site_dir": SITE.name, "nav": [{"Home": "README.md"}, *navigation]}


def loaded_from_elsewhere() -> list[str]:
    """What the pages of the site load from other servers."""
    return [
        f"{page.relative_to(SITE)}: {url}" for page in SITE.rglob("*.html") for url in _LOADED.findall(page.read_text())
    ]


def main() -> int:
    """Write the site, and return the exit status."""
    shutil.rmtree(STAGE, ignore_errors=True)
    for path in staged():
        (STAGE / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, STAGE / "src" / path)
    (STAGE / "mkdocs.yml").write_text(yaml.safe_dump(settings(), sort_keys=False), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=STAGE, check=False)
    if done.returncode:
        return done.returncode
    found = loaded_from_elsewhere()
    for each in found:
        print(f"{each}: is on another server", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
