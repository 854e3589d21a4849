"""Write template/, the template for `pulumi new`, from what `ksail-pulumi init` writes."""

from __future__ import annotations

from pathlib import Path

from ksail_pulumi.formats.project import template_files, write_files

if __name__ == "__main__":
    write_files(template_files(), Path(__file__).resolve().parents[1] / "template", force=True)
