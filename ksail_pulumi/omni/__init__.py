"""A client for the Omni API. It knows Omni; it knows neither KSail nor Pulumi."""
