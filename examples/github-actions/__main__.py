"""A cluster that GitHub Actions keeps: a preview on each pull request, `up` on each merge."""

import pulumi

from ksail_pulumi import OmniCluster

cluster = OmniCluster("shop", workers=pulumi.Config().require_int("workers"))

pulumi.export("nodes", cluster.nodes)
