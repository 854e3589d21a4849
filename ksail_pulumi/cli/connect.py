"""`ksail-pulumi connect NAME`: k9s on a cluster, with a kubeconfig of its own."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.access.files import change
from ksail_pulumi.access.kubeconfig import Context, default_context
from ksail_pulumi.cli import child
from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.errors import SettingsError
from ksail_pulumi.lifecycle.kubeconfigs import Access, kubeconfig

if TYPE_CHECKING:
    import argparse

_TTL = timedelta(hours=24)
"""How long k9s can be used without a new start."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Start k9s on a cluster, for up to a day. It uses a temporary kubeconfig, which is removed when k9s ends; your "
        "own kubeconfig does not change. This needs the role Operator. The exit code is that of k9s.",
        "connect west",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")


def run(options: argparse.Namespace) -> int:
    if shutil.which("k9s") is None:
        raise SettingsError(
            "`connect` needs k9s, which is not installed (https://k9scli.io). Without it, use kubectl: "
            f"`ksail-pulumi kubeconfig {options.name} --merge`, then `kubectl get nodes`"
        )
    text = kubeconfig(client_from_environment(), options.name, Access(ttl=_TTL))
    context = replace(Context.current(text), name=default_context(options.name))
    with tempfile.TemporaryDirectory(prefix="ksail-pulumi-") as folder:
        file = Path(folder) / "config"
        change(file, lambda _: context.text())
        return child.run(["k9s", "--kubeconfig", str(file), "--context", context.name])
