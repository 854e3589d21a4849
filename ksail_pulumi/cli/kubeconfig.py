"""`ksail-pulumi kubeconfig NAME`: a kubeconfig for a cluster, printed or merged into a file."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ksail_pulumi.access import files
from ksail_pulumi.access.kubeconfig import Context, default_context, merged
from ksail_pulumi.access.kubectl import file_of
from ksail_pulumi.access.plugin import Plugin
from ksail_pulumi.cli.arguments import context_name, describe, ttl
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.kubeconfigs import KUBECONFIG_TTL, Access, exec_kubeconfig, kubeconfig
from ksail_pulumi.model.durations import duration

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ksail_pulumi.omni.client import Client


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Print a kubeconfig for a cluster, or merge it into a kubeconfig file. In a file, the context becomes the "
        "current one, as with omnictl and KSail; other contexts stay as they are. A kubeconfig with a token needs the "
        "role Operator.",
        "kubeconfig west --merge",
        "kubeconfig west --file west.kubeconfig",
        "kubeconfig west --exec --merge --context west",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument(
        "--merge",
        action="store_true",
        help="merge it into the file that kubectl uses: the file in KUBECONFIG that has the context, else the first "
        "existing one; without KUBECONFIG ~/.kube/config",
    )
    command.add_argument("--file", default="", metavar="PATH", help="merge it into this file")
    command.add_argument(
        "--context", type=context_name, default="", metavar="NAME", help="name of the context (default: admin@NAME)"
    )
    command.add_argument(
        "--exec",
        dest="plugin",
        action="store_true",
        help="without a token: kubectl runs `ksail-pulumi token` for one each time, so the kubeconfig does not expire",
    )
    command.add_argument(
        "--ttl",
        type=ttl,
        metavar="DURATION",
        help="how long the token is valid, such as 12h (default: 720h; with --exec 1h)",
    )


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    text = _exec_form(client, options) if options.plugin else _token_form(client, options)
    context = replace(Context.current(text), name=options.context or default_context(options.name))
    if not options.file and not options.merge:
        print(context.text(), end="")
        return 0
    path = files.expanded(options.file) if options.file else _file_of(context)
    files.change(path, lambda before: merged(before, str(path), context, current=True))
    print(f"ksail-pulumi: context {context.name} is in {path} and is the current one", file=sys.stderr)
    return 0


def _file_of(context: Context) -> Path:
    server, cluster, _ = context.target
    return file_of(context.name, cluster=cluster, server=server)


def _token_form(client: Client, options: argparse.Namespace) -> str:
    lifetime = duration(options.ttl) if options.ttl else KUBECONFIG_TTL
    return kubeconfig(client, options.name, Access(ttl=lifetime))


def _exec_form(client: Client, options: argparse.Namespace) -> str:
    return exec_kubeconfig(client, Plugin(options.name, client.endpoint, ttl=options.ttl or ""))
