"""The lives of two stacks once more, shorter, with the real `pulumi`; see tests/identity."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.crash.omni import Crash, Omni, running_omni
from tests.e2e.project import Project
from tests.identity.judge import Judge
from tests.identity.stack import Command, Outcome, Program

STACKS = st.sampled_from([0, 1])
NAMES = st.sampled_from(["main", "other"])
VERBS: Mapping[str, list[str]] = {
    "up": ["up", "--yes", "--skip-preview"],
    "replace": ["up", "--yes", "--skip-preview", "--replace"],
    "refresh": ["refresh", "--yes", "--skip-preview"],
    "refreshed up": ["up", "--yes", "--skip-preview", "--refresh"],
    "destroy": ["destroy", "--yes", "--skip-preview"],
}
CHANGES = st.one_of(
    st.fixed_dictionaries({"workers": st.integers(0, 1)}),
    st.fixed_dictionaries({"name": st.none() | NAMES}),
    st.fixed_dictionaries({"resource": NAMES}),
    st.fixed_dictionaries({"create_first": st.booleans()}),
)


@dataclass(frozen=True)
class Stored:
    """What the state has of the cluster."""

    urn: str
    id: str
    outputs: Mapping[str, Any]


class RealStack:
    """A stack on a backend of its own."""

    def __init__(self, project: Project, omni: Omni) -> None:
        self.name = "dev"
        self.omni = omni
        self.program = Program()
        self.project = project
        project.init()

    @property
    def urn(self) -> str:
        return self.program.urn(self.name).replace("::shop::", "::test::")

    @property
    def saved(self) -> Stored | None:
        found = [item for item in self.project.resources().values() if not item.get("pendingReplacement")]
        return Stored(found[0]["urn"], found[0]["id"], found[0]["outputs"]) if found else None

    def run(self, command: Command, crash: Crash | None) -> Outcome:
        assert crash is None
        saved = self.saved
        if command == "replace" and saved is None:
            command = "up"
        self.project.clusters({self.program.resource: self._inputs(saved)})
        target = [self.urn] if command == "replace" else []
        reached = {
            "OMNI_ENDPOINT": self.omni.simulator.endpoint,
            "OMNI_SERVICE_ACCOUNT_KEY": self.omni.simulator.service_account_key,
        }
        process = self.project.start(*VERBS[command], *target, environment=reached)
        output, _ = process.communicate()
        steps = [verb for verb in ("create", "update") if re.search(rf"OmniCluster \S+ {verb}d", output)]
        return Outcome(steps, output if process.returncode else "")

    def _inputs(self, saved: Stored | None) -> dict[str, Any]:
        program = self.program
        options: dict[str, Any] = {"aliases": [saved.urn]} if saved and saved.urn != self.urn else {}
        options |= {"import_": program.imported} if program.imported else {}
        options |= {"delete_before_replace": False} if program.create_first else {}
        inputs: dict[str, Any] = {"workers": program.workers, "wait_for": "none", "options": options}
        return inputs | ({"name": program.name} if program.name and not program.imported else {})


class RealStacks(Judge, RuleBasedStateMachine):
    """Two stacks of the same name on two backends, and two Omnis."""

    environment: Mapping[str, str]

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()

    @initialize()
    def begin(self) -> None:
        self.omnis = [self._open.enter_context(running_omni()) for _ in range(2)]
        folders = [Path(self._open.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        projects = [Project.create(folder, self.environment, {}) for folder in folders]
        self.stacks = [RealStack(project, self.omnis[0]) for project in projects]

    def teardown(self) -> None:
        self._open.close()

    @rule(stack=STACKS)
    def goes_up(self, stack: int) -> None:
        self.run_and_judge(self.stacks[stack], "up", None)

    @rule(stack=STACKS, command=st.sampled_from(sorted(VERBS)))
    def runs(self, stack: int, command: Command) -> None:
        self.run_and_judge(self.stacks[stack], command, None)

    @rule(stack=STACKS, change=CHANGES)
    def changes_the_program(self, stack: int, change: dict[str, Any]) -> None:
        self.stacks[stack].program = replace(self.stacks[stack].program, **change)

    @rule(stack=STACKS)
    def takes_the_resource_out_of_the_state(self, stack: int) -> None:
        real = self.stacks[stack]
        if (saved := real.saved) is not None:
            real.project.run("state", "delete", saved.urn, "--yes")

    @rule(stack=STACKS, name=NAMES)
    def imports(self, stack: int, name: str) -> None:
        program = self.stacks[stack].program
        self.stacks[stack].program = replace(program, imported=name)
        self.run_and_judge(self.stacks[stack], "up", None)
        self.stacks[stack].program = program

    @rule(stack=STACKS, omni=st.sampled_from([0, 0, 1]))
    def sets_the_endpoint(self, stack: int, omni: int) -> None:
        self.stacks[stack].omni = self.omnis[omni]


@pytest.mark.sweep
def test_lives_of_two_stacks(pulumi: dict[str, str]) -> None:
    RealStacks.environment = pulumi
    how = settings(
        max_examples=3,
        stateful_step_count=8,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(RealStacks, settings=how)
