"""What Pulumi starts for a project that has added this folder as a package."""

from ksail_pulumi.provider.plugin.server import main

main()
