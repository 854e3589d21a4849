"""An Omni for tests of your own programs: the simulator that `ksail-pulumi simulate` runs, in this process.

In `with Simulator(machines=3) as omni:`, a program finds it by the variables `OMNI_ENDPOINT` (`omni.endpoint`)
and `OMNI_SERVICE_ACCOUNT_KEY` (`omni.service_account_key`).
"""

from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator

__all__ = ["Faults", "MachineSetup", "Simulator"]
