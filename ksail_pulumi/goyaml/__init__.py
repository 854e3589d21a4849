"""YAML as read and written by tools in Go."""

MAX_BYTES = 4 * 1024 * 1024
"""The maximum size of a file in bytes."""
