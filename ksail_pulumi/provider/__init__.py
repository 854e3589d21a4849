"""The Pulumi resource and its provider: translates between Pulumi and `lifecycle`. Only this package imports pulumi."""
