"""`KSailCluster` for programs in all of Pulumi's languages: a plugin whose schema is made from the models."""
