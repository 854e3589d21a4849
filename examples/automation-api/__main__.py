"""A cluster for each pull request: `python . up 42` creates that of pull request 42, `python . down 42` deletes it."""

import argparse
import sys

import pulumi
from pulumi import automation

from ksail_pulumi import OmniCluster


def program() -> None:
    """A small cluster, named after its stack."""
    cluster = OmniCluster("cluster", name=f"shop-{pulumi.get_stack()}", workers=1, labels={"purpose": "pull-request"})
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("nodes", cluster.nodes)


def stack_of(pull_request: int) -> automation.Stack:
    """The stack of a pull request. The program runs in this Python, which a project file would name otherwise."""
    options = automation.LocalWorkspaceOptions(env_vars={"PULUMI_RUNTIME_VIRTUALENV": sys.prefix})
    return automation.create_or_select_stack(f"pr-{pull_request}", "pull-requests", program, opts=options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python .", description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("pull_request", type=int)
    options = parser.parse_args()
    stack = stack_of(options.pull_request)
    if options.action == "up":
        outputs = stack.up(on_output=print).outputs
        print(f"shop-pr-{options.pull_request} has {len(outputs['nodes'].value)} machines")
    else:
        stack.destroy(on_output=print, remove=True)


if __name__ == "__main__":
    main()
