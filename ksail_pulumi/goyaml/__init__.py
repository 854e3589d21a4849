"""YAML as read and written by tools in Go."""
