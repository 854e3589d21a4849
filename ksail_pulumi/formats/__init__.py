"""Readers and writers of the files that people keep: KSail projects, cluster templates, Python programs."""
