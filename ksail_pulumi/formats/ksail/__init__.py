"""KSail projects: ksail.yaml and its folder of Talos patches."""
