"""YAML as the tools written in Go read and write it."""
