"""The folder of Talos patches in a KSail project: `talos/{cluster,control-planes,workers}/*.yaml`.

The text of a patch goes to Omni as it is written, comments and empty lines included; it is parsed only to find mistakes
that Omni would refuse without naming the file.
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

SCOPES = ("cluster", "control-planes", "workers")

# KSail writes these itself and keeps them from Omni: Omni owns the cluster's name and refuses a patch that sets it, and
# image verification is left to the image factory.
NOT_FOR_OMNI = {"cluster-name.yaml", "image-verification.yaml"}


@dataclass
class TalosPatches:
    """The patches of a folder, for each of `SCOPES` in the order of the file names.

    Attributes:
        scopes: By scope, patches as inputs of `OmniCluster`: `{"name": ..., "inline": text}`.
        files: By scope, the file of each of these patches, as messages name it.
        warnings: What is odd about them without being wrong.
    """

    scopes: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {scope: [] for scope in SCOPES}, repr=False)
    files: dict[str, list[str]] = field(default_factory=lambda: {scope: [] for scope in SCOPES})
    warnings: list[str] = field(default_factory=list)


def read_patches(folder: Path, shown: str, environ: Mapping[str, str]) -> TalosPatches:
    """Read a folder of patches; a scope without a folder has none.

    Args:
        folder: The folder that holds those of the scopes.
        shown: How messages name it.
        environ: Where `${NAME}` in a patch is looked up.

    Raises:
        ConfigFileError: A patch is not YAML, or not one that Omni takes.
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


def _patch_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    return sorted(path for path in files if path.name not in NOT_FOR_OMNI)


def _has_content(text: str, name: str) -> bool:
    """Whether there is anything in a patch; Omni refuses one that holds comments only."""
    documents = parse_documents(text, name)
    for document in documents:
        if isinstance(document.value, list):
            reason = "JSON patches (lists) are not accepted by Omni: write the fields to change as a mapping"
            raise ConfigFileError(name, document.root.line, "", reason)
        if not isinstance(document.value, dict):
            raise ConfigFileError(name, document.root.line, "", "a Talos patch must be a mapping")
    return bool(documents)
