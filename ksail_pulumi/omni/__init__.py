"""A client for the Omni API, independent of KSail and Pulumi."""
