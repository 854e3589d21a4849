"""The files in which kubectl and talosctl find clusters: kubeconfigs and talosconfigs."""
