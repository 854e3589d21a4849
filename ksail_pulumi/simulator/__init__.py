"""An Omni in this process: the real protocol, real signatures, Omni's own rules, and emulated machines.

It shares only the generated messages and the resource types with the client, so a mistake in one is not hidden by the
same mistake in the other. It opens no outgoing connection, and accepts no call without a valid signature.
"""
