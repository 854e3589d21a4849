"""Waits until Omni has reached the goal of an operation."""
