"""Durations the way Go writes them: `720h`, `1h30m`, `0.5s`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_MOST_SECONDS = (2**63 - 1) / 1e9  # of a Go duration, which counts nanoseconds
_WHOLE = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")


def duration(text: str) -> timedelta:
    """Read a duration in Go's notation.

    Raises:
        ValueError: It is none; the text says how one is written.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError("is not a duration: write it like 720h, 90m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > _MOST_SECONDS:
        raise ValueError("is too long")
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in Go's notation, without parts that are zero: `1h`, `1h30m`, `90.5s` as `1m30.5s`."""
    if value < timedelta():
        return "-" + format_duration(-value)
    total = value // timedelta(microseconds=1)
    seconds, micro = divmod(total, 1_000_000)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours}h" if hours else ""
    if minutes:
        text += f"{minutes}m"
    if seconds or micro or not text:
        text += f"{seconds}{f'.{micro:06d}'.rstrip('0') if micro else ''}s"
    return text


def go_duration(value: timedelta) -> str:
    """Write a duration as Go itself, and so Omni, prints it: `1h0m0s`, `30m0s`, `5s`."""
    hours, rest = divmod(value // timedelta(seconds=1), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
