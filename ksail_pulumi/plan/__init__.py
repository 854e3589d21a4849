"""What should exist in Omni and what must change to get there.

Pure: data in, data out. No call, no clock, no file; the same arguments always give the same plan.
"""
