"""`OmniCluster`, and the provider behind it.

The provider's import path is written into every state file; it is public for ever. What it needs is imported when it is
called: a program that only declares a cluster loads neither gRPC calls nor pydantic.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pulumi
from pulumi import Output, ResourceOptions, dynamic

from ksail_pulumi.errors import InputError
from ksail_pulumi.lifecycle.outputs import FACTS, SECRETS, stored_inputs
from ksail_pulumi.model.files import with_files
from ksail_pulumi.provider import program
from ksail_pulumi.provider.base import OmniProvider
from ksail_pulumi.provider.children import Children
from ksail_pulumi.provider.declared import declare
from ksail_pulumi.provider.declared_classes import DeclaredClasses
from ksail_pulumi.provider.declaring import (
    INPUTS,
    Marks,
    imported_id,
    refuse_shapeless,
    refuse_unknown,
    refuse_unsendable,
    with_outputs,
    with_secrets,
)
from ksail_pulumi.provider.fields import InputOutputs
from ksail_pulumi.provider.host import call as host
from ksail_pulumi.provider.needed_configs import NeededConfigs
from ksail_pulumi.provider.paths import to_stored_names
from ksail_pulumi.provider.properties import (
    ADOPT,
    CLASSES,
    CONFIGS,
    CREATE_FIRST,
    EARLIER,
    MARKED,
    NAME_LEFT_OUT,
    OWNER,
    PREVIEW,
    REPLACED_ON,
)
from ksail_pulumi.provider.spelling import deprecations, to_wire

if TYPE_CHECKING:
    import os
    from typing import Self, Unpack

    from ksail_pulumi.lifecycle.outputs import ClusterNode
    from ksail_pulumi.provider.inputs import OmniClusterArgs, OmniClusterArgsDict


class OmniClusterProvider(OmniProvider):
    """Carries the life of an `OmniCluster` in Pulumi's provider process."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Are the inputs right, and would Omni take them?"""
        from ksail_pulumi.provider.check import check
        from ksail_pulumi.provider.expiry import warn_of_expiry

        with host.call(olds, news) as call:
            warn_of_expiry(call, self._settings, news)
            return check(call, self._settings, olds, news)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """What differs in meaning; makes no call unless the endpoint has changed."""
        from ksail_pulumi.provider.diff import diff

        with host.call(olds, news) as call:
            return diff(call, self._settings, id_, olds, news)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the cluster and wait until it is what it was asked to be."""
        from ksail_pulumi.provider import verbs

        with host.call(props) as call:
            return verbs.create(call, self._settings, props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look at the cluster as it is."""
        from ksail_pulumi.provider import verbs

        with host.call(props) as call:
            return verbs.read(call, self._settings, id_, props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Bring the cluster to the new inputs and wait."""
        from ksail_pulumi.provider import verbs

        with host.call(olds, news) as call:
            return verbs.update(call, self._settings, id_, olds, news)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Delete the cluster and wait until it is gone."""
        from ksail_pulumi.provider import verbs

        with host.call(props) as call:
            verbs.delete(call, self._settings, id_, props)


class OmniCluster(InputOutputs, dynamic.Resource, module="ksail", name="OmniCluster"):
    """A Talos Kubernetes cluster on Sidero Omni.

    Its Omni is found by the stack's configuration (`omni:endpoint`, secret `omni:serviceAccountKey`) or by the
    environment (`OMNI_ENDPOINT`, `OMNI_SERVICE_ACCOUNT_KEY`).

        cluster = OmniCluster("west", control_plane=3, workers=2)
        pulumi.export("kubeconfig", cluster.kubeconfig)
    """

    def __init__(
        self,
        resource_name: str,
        args: OmniClusterArgs | OmniClusterArgsDict | None = None,
        opts: ResourceOptions | None = None,
        **inputs: Unpack[OmniClusterArgsDict],
    ) -> None:
        """Declare a cluster.

        Args:
            resource_name: Its name in Pulumi, and in Omni too unless the input `name` says otherwise.
            args: The inputs, see `OmniClusterArgs`; keyword arguments go on top.
            opts: Pulumi's options. `import_` takes over a cluster that exists: its name is the ID. A replacement
                deletes first, unless `delete_before_replace` is False.
            **inputs: The inputs as keyword arguments.

        Raises:
            InputError: What is given is no input, or Pulumi cannot send it; one input is given in two spellings;
                `import_` names another cluster than `name`; the options have `deleted_with`; or a path in
                `ignore_changes` and the like names no input.
            ConfigFileError: The file of a patch cannot be read.
        """
        with program.reported(resource_name):
            for given in (args, inputs):
                refuse_shapeless(given)
            wire = with_secrets(with_outputs(to_wire(args or {}) | to_wire(inputs)))
            refuse_unknown(wire)
            refuse_unsendable(wire)
        # Machines are in one cluster at a time, and so is a name.
        ours = ResourceOptions(additional_secret_outputs=list(SECRETS), delete_before_replace=True)
        opts = ResourceOptions.merge(ours, opts)
        if opts.deleted_with is not None:
            with program.reported(resource_name):
                raise InputError(
                    "", "the option `deleted_with` is not supported: Pulumi would not delete the cluster; remove it"
                )
        with program.reported(resource_name):
            to_stored_names(opts, wire)
        hidden: dict[str, Any] = {}
        if opts.id is None:
            # The provider may run in another folder.
            with program.reported(resource_name):
                wire = with_files(wire, root=Path(pulumi.get_root_directory() or "."))
            if "name" not in wire:
                wire["name"] = resource_name
                hidden[NAME_LEFT_OUT] = True
            if opts.delete_before_replace is False:
                hidden[CREATE_FIRST] = True
            if opts.replace_on_changes:
                hidden[REPLACED_ON] = opts.replace_on_changes
            hidden[OWNER] = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}/{resource_name}"
            if pulumi.runtime.is_dry_run():
                hidden[PREVIEW] = True
        if opts.import_ is not None:
            # The engine's import cannot reach a dynamic provider; create takes the cluster over instead.
            with program.reported(resource_name):
                wire["name"] = imported_id(opts.import_, wire["name"], resource_name)
            hidden[ADOPT] = True
            hidden.pop(NAME_LEFT_OUT, None)
            opts.import_ = None
        if opts.id is None and (earlier := declare(wire, adopt=ADOPT in hidden)):
            hidden[EARLIER] = earlier
        # The marks come first: what is wrong with an output is found there. Pulumi makes an output of every other key.
        marks: dict[str, Any] = {MARKED: Marks(self, resource_name, wire if opts.id is None else {"name": opts.id})}
        if PREVIEW in hidden:
            marks[CLASSES] = DeclaredClasses(wire, opts)
            marks[CONFIGS] = NeededConfigs(wire, opts)
        outputs = dict.fromkeys((*FACTS, *stored_inputs(dict.fromkeys(INPUTS))))
        properties = {**marks, **outputs, **stored_inputs(wire), **hidden}
        super().__init__(OmniClusterProvider(), resource_name, properties, opts)
        self._children = Children(self, resource_name, opts, wire)
        for warning in (*deprecations(args or {}), *deprecations(inputs)):
            pulumi.log.warn(warning, self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Pulumi would give each subclass a type token of its own, and lose the clusters in existing states with it.
        super().__init_subclass__(module="ksail", name="OmniCluster", **kwargs)

    @classmethod
    def get(cls, resource_name: str, id: pulumi.Input[str], opts: ResourceOptions | None = None) -> Self:  # noqa: A002
        """A cluster that exists and that this program does not manage; `id` is its name.

        Raises at deployment if there is none.
        """
        return cls(resource_name, opts=ResourceOptions.merge(opts, ResourceOptions(id=id)))

    @classmethod
    def from_ksail(
        cls,
        path: str | os.PathLike[str] = "ksail.yaml",
        resource_name: str | None = None,
        opts: ResourceOptions | None = None,
        **inputs: Unpack[OmniClusterArgsDict],
    ) -> Self:
        """A cluster from a KSail project: its ksail.yaml and the folder of Talos patches beside it.

        Args:
            path: The ksail.yaml.
            resource_name: The name in Pulumi; the cluster's name in the file, or else the project's, by default.
            opts: Pulumi's options.
            **inputs: Inputs that win over the file.

        Raises:
            ConfigFileError: A file is missing or wrong; names file, line and field.
        """
        from ksail_pulumi.formats.ksail.read import load_ksail

        with program.reported():
            config = load_ksail(path)
        wire: dict[str, Any] = dict(config.spec)
        if config.endpoint and not pulumi.Config("omni").get("endpoint"):
            wire["endpoint"] = config.endpoint
        if config.service_account_key_env_var:
            wire["serviceAccountKeyEnvVar"] = config.service_account_key_env_var
        cluster = cls(
            resource_name or wire.get("name") or pulumi.get_project(),
            cast("OmniClusterArgsDict", wire),
            opts,
            **inputs,
        )
        for warning in config.warnings:
            pulumi.log.warn(warning, cluster)
        return cluster

    @classmethod
    def from_template(
        cls,
        path: str | os.PathLike[str] | None = None,
        resource_name: str | None = None,
        opts: ResourceOptions | None = None,
        *,
        text: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        **inputs: Unpack[OmniClusterArgsDict],
    ) -> Self:
        """A cluster from one of omnictl's cluster templates.

        Unlike `omnictl cluster template sync`, this keeps what others add to the cluster, unless `ownership` is
        `"exclusive"`.

        Args:
            path: The template; files that it names are relative to it.
            text: The template as a text instead, for example one that Jinja has rendered.
            folder: With `text`: what files that it names are relative to. Default: the working directory.
            resource_name: The name in Pulumi; the cluster's name by default.
            opts: Pulumi's options.
            **inputs: Inputs that win over the template.

        Raises:
            ConfigFileError: A file is missing or wrong; names file, line and field of every mistake.
            InputError: Both or neither of `path` and `text` are given.
        """
        from ksail_pulumi.formats.template.left import warnings_of
        from ksail_pulumi.formats.template.read import parse_template
        from ksail_pulumi.formats.template.source import TemplateSource

        with program.reported():
            source = TemplateSource.of_program(path, text, folder)
            wire = parse_template(source)
        cluster = cls(resource_name or wire["name"], cast("OmniClusterArgsDict", wire), opts, **inputs)
        for warning in warnings_of(source.text, source.name):
            pulumi.log.warn(warning, cluster)
        return cluster

    @property
    def cluster_uuid(self) -> Output[str]:
        """Omni's UUID of the cluster. A change of the cluster leaves it known in a preview, a replacement does not."""
        return self._children.cluster_uuid

    @property
    def phase(self) -> Output[str]:
        """Omni's name for where the cluster is, `RUNNING`."""
        return self._output("phase")

    @property
    def ready(self) -> Output[bool]:
        """Whether all of the cluster was ready when it was last looked at."""
        return self._output("ready")

    @property
    def nodes(self) -> Output[list[ClusterNode]]:
        """The machines, control plane first: `id`, `hostname`, `role`, `set`, `stage`, `addresses`."""
        return self._output("nodes")

    @property
    def kubeconfig(self) -> Output[str]:
        """A kubeconfig for the cluster, a secret. For a cluster of `get` it is requested when this is first used."""
        return self._children.credential("kubeconfig")

    @property
    def talosconfig(self) -> Output[str]:
        """A talosconfig for the cluster, a secret. For a cluster of `get` it is requested when this is first used."""
        return self._children.credential("talosconfig")
