"""Whatever happens to stacks and Omnis, nothing touches a cluster that is not its own, and no `up` ends without one."""

from __future__ import annotations

import pathlib
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, Resource
from tests.crash.omni import Moment, running_omni
from tests.host import Engine, Nursery
from tests.identity.judge import Judge
from tests.identity.stack import Command, Stack
from tests.identity.witness import clusters, wait_until_settled

STACKS = st.sampled_from([0, 1])
NAMES = st.sampled_from(["main", "other"])
COMMANDS = st.sampled_from(["up", "replace", "refresh", "refreshed up", "destroy"])
CHANGES = st.one_of(
    st.fixed_dictionaries({"workers": st.integers(0, 1)}),
    st.fixed_dictionaries({"name": st.none() | NAMES}),
    st.fixed_dictionaries({"resource": NAMES}),
    st.fixed_dictionaries({"parent": st.sampled_from(["", "my:app:App"])}),
    st.fixed_dictionaries({"create_first": st.booleans()}),
)
VERSIONS = {"talos_version": "1.13.8", "kubernetes_version": "1.36.3"}

_nursery: list[Nursery] = []


@pytest.fixture(scope="module", autouse=True)
def _started() -> Any:
    _nursery.append(Nursery())
    yield
    _nursery.pop().close()


class Stacks(Judge, RuleBasedStateMachine):
    """Two stacks, two Omnis, and somebody else who has access to both."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self._folder = pathlib.Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self._engine = Engine()
        self._open.callback(lambda: self._engine.server.stop(None).wait())

    @initialize()
    def begin(self) -> None:
        self.omnis = [self._open.enter_context(running_omni()) for _ in range(2)]
        self.stacks = [
            Stack(name, self.omnis[0], self._engine, _nursery[0], self._folder / name) for name in ("dev", "prod")
        ]

    def teardown(self) -> None:
        self._open.close()

    # -- what the user does

    @rule(stack=STACKS)
    def goes_up(self, stack: int) -> None:
        self.run_and_judge(self.stacks[stack], "up", None)

    @rule(stack=STACKS, command=COMMANDS)
    def runs(self, stack: int, command: Command) -> None:
        self.run_and_judge(self.stacks[stack], command, None)

    @rule(stack=STACKS, command=COMMANDS, moment=st.sampled_from(["before", "after"]), write=st.integers(1, 8))
    def crashes(self, stack: int, command: Command, moment: Moment, write: int) -> None:
        self.run_and_judge(self.stacks[stack], command, (moment, write))

    @rule(stack=STACKS, change=CHANGES)
    def changes_the_program(self, stack: int, change: dict[str, Any]) -> None:
        """A new name of the resource, and a new parent, come with an alias."""
        self.stacks[stack].program = replace(self.stacks[stack].program, **change)

    @rule(stack=STACKS, name=st.sampled_from(["dev", "prod"]))
    def renames_the_stack(self, stack: int, name: str) -> None:
        """Two stacks may have one name, in two backends."""
        self.stacks[stack].name = name

    @rule(stack=STACKS, moved=st.booleans())
    def takes_the_resource_out_of_the_state(self, stack: int, moved: bool) -> None:
        """For good, or into the state of the other stack."""
        source, target = self.stacks[stack], self.stacks[1 - stack]
        if not moved:
            source.saved = None
        elif target.saved is None and source.saved is not None and not source.saved.pending:
            source.saved, target.saved, target.program = None, source.saved, source.program

    @rule(stack=STACKS, name=NAMES, command=st.sampled_from(["up", "replace"]))
    def imports(self, stack: int, name: str, command: Command) -> None:
        program = self.stacks[stack].program
        self.stacks[stack].program = replace(program, imported=name)
        self.run_and_judge(self.stacks[stack], command, None)
        self.stacks[stack].program = program

    @rule(stack=STACKS, omni=st.sampled_from([0, 0, 1]))
    def sets_the_endpoint(self, stack: int, omni: int) -> None:
        self.stacks[stack].omni = self.omnis[omni]

    # -- what somebody else does

    @rule(omni=st.sampled_from([0, 0, 1]), name=NAMES, anew=st.booleans())
    def is_deleted_by_somebody(self, omni: int, name: str, anew: bool) -> None:
        """And perhaps created again under the same name."""
        place = self.omnis[omni]
        client = connect(Connection(place.simulator.endpoint, place.new_key()))
        wait_until_settled(place)
        if name in clusters(place):
            client.state.teardown(CLUSTER, name)
            wait_until_settled(place)
            if anew:
                client.state.create(Resource(CLUSTER, name, specs_pb2.ClusterSpec(**VERSIONS)))
        client.close()


HOW = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck), "derandomize": True}


def test_a_few_lives_of_two_stacks() -> None:
    run_state_machine_as_test(Stacks, settings=settings(max_examples=4, stateful_step_count=12, **HOW))


@pytest.mark.sweep
@pytest.mark.timeout(900)
def test_many_lives_of_two_stacks() -> None:
    run_state_machine_as_test(Stacks, settings=settings(max_examples=15, stateful_step_count=20, **HOW))
