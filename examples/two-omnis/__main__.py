"""Two Omni accounts in one stack: each cluster says where it lives and which variable holds the key for it."""

import pulumi

from ksail_pulumi import OmniCluster

config = pulumi.Config()

eu = OmniCluster(
    "eu",
    endpoint=config.require("euEndpoint"),
    service_account_key_env_var="OMNI_EU_KEY",
    workers=1,
)
us = OmniCluster(
    "us",
    endpoint=config.require("usEndpoint"),
    service_account_key_env_var="OMNI_US_KEY",
    workers=1,
)

pulumi.export("euNodes", eu.nodes)
pulumi.export("usNodes", us.nodes)
