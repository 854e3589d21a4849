"""Which tests a worker of pytest-xdist takes, and in which order."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# Tests that each have clusters or processes of their own. They take longest, and share nothing.
ALONE = ("tests/e2e/", "tests/crash/", "tests/lifecycle/", "tests/provider/test_cluster.py")


def is_alone(nodeid: str) -> bool:
    return nodeid.startswith(ALONE)


def order(nodeid: str) -> int:
    """The longest test first, then those that are alone."""
    if "test_every_text_is_made" in nodeid:
        return 0
    return 1 if is_alone(nodeid) else 2


class Scheduling(LoadScopeScheduling):
    """A worker that has nothing left to do takes one test that is alone, or a module of the others.

    Tests that share a process for each SDK are two groups.
    """

    def _split_scope(self, nodeid: str) -> str:
        if is_alone(nodeid):
            return nodeid
        sdk = re.search(r"\[(newest|lowest)\b", nodeid)
        return nodeid.partition("::")[0] + (sdk[0] if sdk else "")
