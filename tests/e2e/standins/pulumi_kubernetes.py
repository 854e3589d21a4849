"""In place of pulumi-kubernetes, whose plugin is on no package index: it has the rules of release 4.25.

A provider is replaced if its cluster identifier changes, and updated for another kubeconfig. An object is replaced with
its provider.
"""

from types import SimpleNamespace

from pulumi import Output, ResourceOptions, dynamic
from pulumi.output import Unknown


class ProviderRules(dynamic.ResourceProvider):
    def diff(self, _id, olds, news):
        known = not isinstance(news["cluster_identifier"], Unknown)
        replaces = [] if known and olds["cluster_identifier"] == news["cluster_identifier"] else ["cluster_identifier"]
        return dynamic.DiffResult(bool(replaces) or olds["kubeconfig"] != news["kubeconfig"], replaces)

    def create(self, props):
        return dynamic.CreateResult("provider", {**props, "made": props["cluster_identifier"]})

    def update(self, _id, olds, news):
        return dynamic.UpdateResult({**news, "made": olds["made"]})


class Provider(dynamic.Resource, module="kubernetes", name="Provider"):
    made: Output[str]

    def __init__(self, name, kubeconfig, cluster_identifier, opts):
        given = {"kubeconfig": kubeconfig, "cluster_identifier": cluster_identifier, "made": None}
        super().__init__(ProviderRules(), name, given, opts)


class ObjectRules(dynamic.ResourceProvider):
    def diff(self, _id, olds, news):
        same = not isinstance(news["provider"], Unknown) and olds["provider"] == news["provider"]
        return dynamic.DiffResult(not same, [] if same else ["provider"])

    def create(self, props):
        return dynamic.CreateResult(props["metadata"]["name"], props)


class Object(dynamic.Resource, module="kubernetes", name="Object"):
    def __init__(self, name, metadata, opts, data=None):
        given = {"provider": opts.provider.made, "metadata": metadata, "data": data}
        super().__init__(ObjectRules(), name, given, ResourceOptions(depends_on=opts.depends_on))


core = SimpleNamespace(v1=SimpleNamespace(Namespace=Object, ConfigMap=Object))
