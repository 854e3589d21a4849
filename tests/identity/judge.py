"""What must hold after every run of Pulumi on one of several stacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ksail_pulumi.plan.ownership import owner_by_urn
from tests.crash.omni import Crash, Moment, Omni
from tests.identity.stack import Command, Outcome, Program
from tests.identity.witness import Seen, clusters


class HasCluster(Protocol):
    """What a state has of the cluster."""

    @property
    def id(self) -> str: ...
    @property
    def outputs(self) -> Mapping[str, Any]: ...


class AnyStack(Protocol):
    """A stack with one cluster, played or real."""

    name: str
    omni: Omni
    program: Program

    @property
    def saved(self) -> HasCluster | None: ...
    @property
    def urn(self) -> str: ...
    def run(self, command: Command, crash: Crash | None) -> Outcome: ...


class Judge:
    """Runs commands on stacks and looks at all Omnis before and after."""

    omnis: list[Omni]

    def run_and_judge(self, stack: AnyStack, command: Command, crash: tuple[Moment, int] | None) -> None:
        before = [clusters(omni) for omni in self.omnis]
        permitted = [self._permitted(stack, omni, seen) for omni, seen in zip(self.omnis, before, strict=True)]
        aimed = Crash(stack.omni.simulator, *crash) if crash else None
        outcome = stack.run(command, aimed)
        print(f"  {command} of {stack.name}: {outcome.steps} {outcome.error[:100]}")
        for omni, seen, names in zip(self.omnis, before, permitted, strict=True):
            after = clusters(omni)
            for name, cluster in seen.items():
                if name not in names and not cluster.going:
                    assert after.get(name) == cluster, f"{command} of {stack.name} touched {name}: {outcome}"
        if not outcome.error:
            self._has_its_cluster(stack, command, outcome)

    def _permitted(self, stack: AnyStack, omni: Omni, seen: dict[str, Seen]) -> set[str]:
        """Clusters that a run of a stack may touch: its own, the one it imports, and what it has begun to create."""
        state = str(stack.saved.outputs.get("clusterUuid") or "") if stack.saved else ""
        program, owner = stack.program, owner_by_urn("organization", stack.urn)
        here = omni is stack.omni
        return {
            name
            for name, cluster in seen.items()
            if (state and cluster.uuid == state)
            or (here and name == program.imported)
            or (here and cluster.unfinished and cluster.owner == owner)
            or (here and cluster.unfinished and stack.saved is not None and not state)
        }

    def _has_its_cluster(self, stack: AnyStack, command: str, outcome: Outcome) -> None:
        if command == "refreshed up" or {"create", "update"} & set(outcome.steps):
            assert stack.saved is not None
            found = clusters(stack.omni).get(stack.saved.id)
            assert found is not None, f"{command} of {stack.name} ended without its cluster: {outcome}"
            assert (found.uuid, found.going) == (stack.saved.outputs["clusterUuid"], False)
