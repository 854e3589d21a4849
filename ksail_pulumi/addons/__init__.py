"""What a cluster runs besides the workloads: which patches and manifests make it, and what is to be said about it."""
