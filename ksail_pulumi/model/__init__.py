"""The model of a cluster: typed data and its checks. It reads the files that inputs name, and talks to nobody."""
