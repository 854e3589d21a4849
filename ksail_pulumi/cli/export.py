"""`ksail-pulumi export NAME`: a cluster as a cluster template, a Pulumi program or a KSail project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi import listing
from ksail_pulumi.addons.patches import addon_patch_ids
from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.ksail.patches import PATCH_FOLDER, patch_files
from ksail_pulumi.formats.ksail.write import KSAIL_YAML, ksail_project
from ksail_pulumi.formats.project import write_files
from ksail_pulumi.formats.python import program_text
from ksail_pulumi.formats.template.write import cannot_say, template_text
from ksail_pulumi.lifecycle.overview import not_found
from ksail_pulumi.lifecycle.snapshot import take_snapshot
from ksail_pulumi.model.parse import to_wire
from ksail_pulumi.plan.observe import left_out, observe

if TYPE_CHECKING:
    import argparse

    from ksail_pulumi.omni.client import Client


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Export a cluster from Omni in one of three formats. What the format cannot express is listed on stderr.",
        "export west",
        "export west --as ksail --file ksail.yaml",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument(
        "--as",
        dest="form",
        default="template",
        choices=("template", "python", "ksail"),
        help="template: a cluster template for omnictl (default); python: a program that imports the cluster; "
        "ksail: ksail.yaml and talos/",
    )
    command.add_argument("--file", default="", metavar="FILE", help="the file to write (default: print to stdout)")
    command.add_argument("--force", action="store_true", help="overwrite existing files")


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    inputs, unsaid = read_inputs(client, options.name, options.form)
    output = Path(options.file) if options.file else None
    files, remarks = _written(inputs, options.form, client.endpoint, output.name if output else "")
    if output is None:
        print(files.pop(""), end="")
        remarks += [f"{name} is not printed; use --file to write it next to ksail.yaml" for name in files]
    else:
        if options.form == "ksail":
            _refuse_other_patches(files, output.parent)
        write_new(files, output.parent, force=options.force)
    for remark in (*unsaid, *remarks):
        print(f"ksail-pulumi: {remark}", file=sys.stderr)
    return 0


def read_inputs(client: Client, name: str, form: str) -> tuple[dict[str, Any], list[str]]:
    """The whole cluster as inputs, including parts of other owners, and remarks about what no input can hold.

    Raises:
        NotFoundError: The account has no cluster of this name.
        OmniError: Omni did not answer.
    """
    found = take_snapshot(client, name)
    if found.cluster is None or found.cluster.tearing_down:
        raise not_found(name)
    # A template has no add-ons: it has their patches.
    addons = () if form == "template" else addon_patch_ids(name)
    return to_wire(observe(found.resources, addons=addons)), list(left_out(found))


def _written(inputs: dict[str, Any], form: str, endpoint: str, main: str) -> tuple[dict[str, str], list[str]]:
    """The files of the export, the main one as `main`, and remarks about them."""
    if form == "ksail":
        project = ksail_project(inputs, endpoint)
        return {main if name == KSAIL_YAML else name: text for name, text in project.files.items()}, project.unsaid
    if form == "python":
        return {main: program_text(inputs)}, []
    return {main: template_text(inputs)}, cannot_say(inputs)


def _refuse_other_patches(files: dict[str, str], folder: Path) -> None:
    """Refuse patches of a former export: what reads the project would apply them to the cluster."""
    try:
        present = patch_files(folder / PATCH_FOLDER)
    except OSError as error:
        raise InputError(str(folder / PATCH_FOLDER), f"cannot read the folder: {error.strerror}") from None
    if others := [str(path) for path in present if path not in {folder / name for name in files}]:
        reason = (
            "the cluster has no such patch, but the next `pulumi up` with the ksail.yaml would apply it: delete it, or "
            "choose another folder"
        )
        raise InputError(listing.names(others), reason)


def write_new(files: dict[str, str], folder: Path, *, force: bool) -> None:
    """Write files, and report each one. None is written if one exists, unless `force` is set.

    Raises:
        InputError: A file exists or cannot be written.
    """
    for name in files:
        if (folder / name).exists() and not force:
            raise InputError(str(folder / name), "the file exists; use --force to overwrite it")
    for name in write_files(files, folder, force=True):
        print(f"wrote {folder / name}", file=sys.stderr)
