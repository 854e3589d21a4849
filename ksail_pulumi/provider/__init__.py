"""The Pulumi face: translates between Pulumi's calls and `lifecycle`. The only room that imports pulumi."""
