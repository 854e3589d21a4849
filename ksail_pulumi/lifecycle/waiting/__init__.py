"""Waiting until Omni has done what it was asked for."""
