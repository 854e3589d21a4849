"""A cluster template of omnictl: the program renders it, and Pulumi applies it."""

from pathlib import Path
from string import Template

import pulumi

from ksail_pulumi import MachineClass, OmniCluster

name = f"shop-{pulumi.get_stack()}"
any_machine = MachineClass("any", match_labels=["omni.sidero.dev/arch = amd64"])

template = Template(Path("clusters/shop.yaml").read_text())
cluster = OmniCluster.from_template(
    text=template.substitute(CLUSTER=name, TEAM=pulumi.Config().require("team")),
    folder="clusters",  # paths in the template are relative to it
    opts=pulumi.ResourceOptions(depends_on=[any_machine]),
)

pulumi.export("nodes", cluster.nodes)
pulumi.export("kubeconfig", cluster.kubeconfig)
