"""Types of arguments, and the environment that commands read."""

from __future__ import annotations

import argparse

ENVIRONMENT = "Reads OMNI_ENDPOINT, OMNI_SERVICE_ACCOUNT_KEY and OMNI_CA_FILE."


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"should be a whole number of 1 or more, not {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"should be a whole number of 0 or more, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """A TCP port, 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"should be a port number, not {text!r}")
    return int(text)
