"""`ksail-pulumi completion SHELL`: a script that completes commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.errors import SettingsError

if TYPE_CHECKING:
    import argparse


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Print a script that completes commands and options of ksail-pulumi in your shell.",
        "completion bash > ~/.local/share/bash-completion/completions/ksail-pulumi",
        "completion zsh > ~/.zfunc/_ksail-pulumi",
        "completion fish > ~/.config/fish/completions/ksail-pulumi.fish",
        environment="",
    )
    command.add_argument("shell", choices=("bash", "zsh", "fish"), help="your shell")


def run(options: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        raise SettingsError(
            "`completion` needs the Python package shtab, which is not installed: pip install 'ksail-pulumi[cli]'"
        ) from None
    from ksail_pulumi.cli.app import COMMANDS, parser_of

    print(shtab.complete(parser_of(COMMANDS, brief=True), options.shell))
    return 0
