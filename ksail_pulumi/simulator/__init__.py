"""An Omni in this process: the real wire, real signatures, Omni's own rules, and machines that are only emulated.

It shares nothing with the client but the generated messages and the resource types, so that no mistake can agree
with itself; it never calls out, and lets nobody in without a valid signature.
"""
