"""The verbs on one cluster: create, update, read, delete and preview. The only room that changes an Omni.

Data runs one way through it: a `ClusterSpec` and what Omni has become a plan, the plan is applied step by step, a wait
on Omni's watches follows, and `ClusterOutputs` come out. An error raised after Omni has accepted the cluster carries
the outputs so far.
"""
