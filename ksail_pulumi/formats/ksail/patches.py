"""The folder of Talos patches in a KSail project: `talos/{cluster,control-planes,workers}/*.yaml`.

The text of a patch is sent to Omni as it is, including comments and empty lines. It is parsed only to report mistakes
with file and line, which Omni does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.ksail.expansion import expand, outside_comments
from ksail_pulumi.goyaml.read import parse_documents, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATCH_FOLDER = "talos"
"""The folder of patches of a project whose ksail.yaml names none."""

SCOPES = ("cluster", "control-planes", "workers")

# KSail writes these files and does not send them to Omni: Omni refuses patches that set the cluster name, and the image
# factory verifies the images.
NOT_FOR_OMNI = {"cluster-name.yaml", "image-verification.yaml"}


@dataclass
class TalosPatches:
    """The patches of a folder, for each of `SCOPES`, ordered by file name.

    Attributes:
        scopes: By scope, patches as inputs of `OmniCluster`: `{"name": ..., "inline": text}`.
        files: By scope, the file name of each patch for messages.
        warnings: Warnings about them.
    """

    scopes: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {scope: [] for scope in SCOPES}, repr=False)
    files: dict[str, list[str]] = field(default_factory=lambda: {scope: [] for scope in SCOPES})
    warnings: list[str] = field(default_factory=list)


def read_patches(folder: Path, shown: str, environ: Mapping[str, str]) -> TalosPatches:
    """Read a folder of patches; a scope without a folder has no patches.

    Args:
        folder: The folder with the folders of the scopes.
        shown: The name of the folder in messages.
        environ: The variables for `${NAME}` in patches.

    Raises:
        ConfigFileError: A patch is not valid.
    """
    patches = TalosPatches()
    for scope in SCOPES:
        for path in _patch_files(folder / scope):
            name = f"{shown}/{scope}/{path.name}"
            text, missing = expand(read_text(path, name), environ)
            has_content = _has_content(text, name)
            unset = {(each.line, each.name): None for each in outside_comments(text, missing)}
            patches.warnings += [f"{name}:{line}: environment variable {key} is not set" for line, key in unset]
            if has_content:
                patches.scopes[scope].append({"name": path.stem, "inline": text})
                patches.files[scope].append(name)
            else:
                patches.warnings.append(f"{name}: the patch is empty and is skipped")
    return patches


def patch_files(folder: Path) -> list[Path]:
    """The files of all scopes that `read_patches` reads from a folder."""
    return [path for scope in SCOPES for path in _patch_files(folder / scope)]


def _patch_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    return sorted(path for path in files if path.name not in NOT_FOR_OMNI)


def _has_content(text: str, name: str) -> bool:
    """Whether a patch has content; Omni refuses a patch that has only comments."""
    documents = parse_documents(text, name)
    for document in documents:
        if isinstance(document.value, list):
            reason = "JSON patches (RFC 6902) are not accepted by Omni: write the fields to change as a mapping"
            raise ConfigFileError(name, document.root.line, "", reason)
        if not isinstance(document.value, dict):
            raise ConfigFileError(
                name, document.root.line, "", "expected a YAML document, a mapping of Talos configuration"
            )
    return bool(documents)
