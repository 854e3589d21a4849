"""The command `ksail-pulumi`: it parses, prints and exits, and leaves the work to the other rooms.

It never imports Pulumi, and nothing heavy before it is known which command runs. Only `app` turns errors into messages.
"""
