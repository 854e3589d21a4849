"""`ksail-pulumi token NAME`: a token for a cluster, in the form that kubectl reads from an exec plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import describe, ttl
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.lifecycle.kubeconfigs import GROUPS, TOKEN_TTL, USER, Access, exec_credential
from ksail_pulumi.model.durations import duration

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Print a token for a cluster as an ExecCredential (client.authentication.k8s.io/v1). kubectl runs this command "
        "for kubeconfigs of the form `exec`. It needs the role Operator.",
        "token west",
        "token west --endpoint https://acme.omni.siderolabs.io --user ci --group view --ttl 15m",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument("--endpoint", default="", metavar="URL", help="URL of the Omni (default: OMNI_ENDPOINT)")
    command.add_argument("--uuid", default="", help="UUID of the cluster: no other one of this name gets a token")
    command.add_argument(
        "--key-variable",
        default="",
        metavar="VARIABLE",
        help="environment variable with the service account key (default: OMNI_SERVICE_ACCOUNT_KEY)",
    )
    command.add_argument("--user", default=USER, help=f"user in Kubernetes (default: {USER})")
    command.add_argument(
        "--group",
        action="append",
        help=f"group of the user; can be repeated, '' for none (default: {', '.join(GROUPS)})",
    )
    command.add_argument("--ttl", type=ttl, metavar="DURATION", help="how long the token is valid (default: 1h)")


def run(options: argparse.Namespace) -> int:
    client = client_from_environment(endpoint=options.endpoint, key_variable=options.key_variable)
    lifetime = duration(options.ttl) if options.ttl else TOKEN_TTL
    groups = GROUPS if options.group is None else [group for group in options.group if group]
    access = Access(options.user, groups, lifetime)
    print(json.dumps(exec_credential(client, options.name, options.uuid, access)))
    return 0
