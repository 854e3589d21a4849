"""The controllers of a simulated Omni. They apply what users write to the emulated machines.

They have the names of Omni's own, communicate only through the store, and take all durations from `timings`.
"""

from ksail_pulumi.simulator.controllers.manager import start

__all__ = ["start"]
