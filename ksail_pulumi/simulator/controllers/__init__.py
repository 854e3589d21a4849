"""What makes a simulated Omni live: controllers that carry users' wishes out on the emulated machines.

They are named like Omni's own, talk to each other only through the store, and keep time by the one table in `timings`.
"""

from ksail_pulumi.simulator.controllers.manager import Controllers, start

__all__ = ["Controllers", "start"]
