"""What the provider needs to know of the Pulumi process that it runs in."""
