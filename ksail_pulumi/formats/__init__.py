"""Readers and writers of KSail projects, cluster templates and Python programs."""
