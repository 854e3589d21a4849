"""An Omni and Pulumi stacks for tests of your own programs.

`Simulator` is the Omni that `ksail-pulumi simulate` runs, in this process. The pytest fixtures `omni` and
`pulumi_stack` give a test such an Omni and stacks on it: load them with `pytest_plugins = ["ksail_pulumi.testing"]`, or
import them. See docs/testing.md.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.testing.stacks import PulumiStacks

# The simulator is useful without pytest too, for example with unittest.
if TYPE_CHECKING or find_spec("pytest"):
    from ksail_pulumi.testing.fixtures import omni, pulumi_stack

__all__ = ["Faults", "MachineSetup", "PulumiStacks", "Simulator", "omni", "pulumi_stack"]


def __getattr__(name: str) -> NoReturn:
    if name in __all__:
        raise ImportError(f"the fixture {name} needs pytest: pip install 'ksail-pulumi[testing]'")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
