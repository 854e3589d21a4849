"""The Automation API as docs/troubleshooting.md shows it, and a resource hook as docs/configuration.md shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import server
from tests.e2e.project import PASSPHRASE

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client

PROGRAM = """\
import sys

import pulumi
from pulumi import automation as auto

from ksail_pulumi import OmniCluster


async def see(args):
    print("the phase is", args.new_outputs["phase"], flush=True)
    raise RuntimeError("not today")


def program():
    hook = pulumi.ResourceHook("see", see)
    hooks = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
    OmniCluster("west", opts=pulumi.ResourceOptions(hooks=hooks))


options = auto.LocalWorkspaceOptions(env_vars={"PULUMI_RUNTIME_VIRTUALENV": sys.prefix})
stack = auto.create_or_select_stack("dev", project_name="shop", program=program, opts=options)
try:
    stack.up()
except auto.CommandError as error:
    print("failed:", "not today" in str(error))
print(stack.up().summary.resource_changes)
"""


@pytest.mark.sweep
def test_an_inline_program_with_a_python_that_is_not_on_path(
    tmp_path: Path, pulumi: dict[str, str], omni_environment: dict[str, str], omni: Client
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "state").mkdir()
    folders = [each for each in pulumi["PATH"].split(os.pathsep) if Path(each) != Path(sys.executable).parent]
    environment = {
        **pulumi,
        **omni_environment,
        "PATH": os.pathsep.join(folders),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    }
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    # A hook that fails is not run again.
    expected = ["the phase is RUNNING", "failed: True", "{'create': 3, 'same': 2}"]
    assert done.stdout.splitlines() == expected, done.stderr
    assert server.runs(omni, "west")
