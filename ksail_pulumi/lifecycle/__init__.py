"""The operations on one cluster: create, update, read, delete and preview. Only this package writes to Omni.

Data flows one way: a `ClusterSpec` and the state of Omni become a plan, the plan is applied step by step, a wait on
Omni's watches follows, and `ClusterOutputs` are returned. An error that is raised after Omni has accepted the cluster
carries the outputs so far.
"""
