"""Reads a file that is a ksail.yaml or a cluster template of omnictl, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.template.left import warnings_of, with_left
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.formats.template.source import TemplateSource
from ksail_pulumi.goyaml.read import parse_documents

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_KSAIL_FIELDS = {"apiVersion", "metadata", "spec"}


@dataclass(frozen=True)
class Described:
    """A cluster that a file describes.

    Attributes:
        spec: The cluster as inputs on the wire.
        endpoint: The URL of the Omni; `""` if the file does not say.
        key_variable: The environment variable with the service account key; `""` for the default one.
        warnings: Warnings about the file, each a whole sentence.
    """

    spec: Mapping[str, Any] = field(repr=False)
    endpoint: str = ""
    key_variable: str = ""
    warnings: tuple[str, ...] = ()


def load_either(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Described:
    """Read a ksail.yaml or a cluster template.

    Args:
        path: The file.
        environ: The environment variables; default: those of the process.

    Raises:
        ConfigFileError: The file is missing or not valid; names file, line and field.
    """
    source = TemplateSource.of_file(path)
    if not _is_ksail(source):
        return Described(load_template(path), warnings=tuple(warnings_of(source.text, source.name)))
    config = load_ksail(path, environ)
    if "name" not in config.spec:
        reason = "is missing: only a Pulumi program has another name to use"
        raise ConfigFileError(source.name, 0, "metadata.name", reason)
    return Described(config.spec, config.endpoint, config.service_account_key_env_var, config.warnings)


def _is_ksail(source: TemplateSource) -> bool:
    """Whether a file has the outermost fields of a ksail.yaml; the documents of a template have none of these."""
    try:
        documents = parse_documents(source.text, source.name)
    except ConfigFileError as error:
        raise with_left(error, source.text) from None
    return any(isinstance(each.value, dict) and bool(_KSAIL_FIELDS & each.value.keys()) for each in documents)
