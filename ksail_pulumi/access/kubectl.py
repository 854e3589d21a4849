"""The file that kubectl uses for a context."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ksail_pulumi.access.files import kubeconfig_files, text_of
from ksail_pulumi.access.kubeconfig import has_name, refuse_another

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def file_of(context: str, *, cluster: str, server: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where kubectl reads a context, or else where it writes a new one: the first existing file, or the last one.

    A context hides the ones of the same name in later files, so these must lead to the same cluster.

    Args:
        context: The name of the context.
        cluster: The name of its cluster.
        server: Its server; `""` if it is not known yet.
        environ: The environment with KUBECONFIG.

    Raises:
        ConfigFileError: One of several files is not a kubeconfig, or would have a hidden context of another cluster.
        SettingsError: There is no home folder.
    """
    paths = kubeconfig_files(environ)
    if len(paths) == 1:
        return paths[0]
    texts = {path: text_of(path) for path in paths}
    having = [path for path, text in texts.items() if has_name(text, str(path), context)]
    for path in having[1:]:
        refuse_another(texts[path], str(path), context, cluster=cluster, server=server)
    return next(iter(having), None) or next((path for path in paths if path.exists()), paths[-1])
