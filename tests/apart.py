"""Runs a function in a process of its own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made")


def apart(function: Callable[[], Made]) -> Made:
    """What the function returns.

    Needed where Python is parsed: CPython 3.11 cannot, while another thread of the process formats a traceback.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function).result()
