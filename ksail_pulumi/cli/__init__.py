"""The command `ksail-pulumi`: parses, prints and exits; other packages do the work.

It never imports Pulumi, and imports slow modules only for the command that runs. Only `app` converts errors into
messages.
"""
