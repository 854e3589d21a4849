"""What the resources other than clusters have in common: their providers' verbs, and their declaration in a program."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pulumi
from pulumi import Output, ResourceOptions, dynamic

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.files import with_files
from ksail_pulumi.provider import program
from ksail_pulumi.provider.base import OmniProvider
from ksail_pulumi.provider.declaring import Marks, imported_id, refuse_shapeless, refuse_unsendable, with_outputs
from ksail_pulumi.provider.fields import FIELDS
from ksail_pulumi.provider.host import call as host
from ksail_pulumi.provider.paths import to_stored_names
from ksail_pulumi.provider.properties import ADOPT, CREATE_FIRST, MARKED, NAME_LEFT_OUT, OWNER, PREVIEW
from ksail_pulumi.provider.spelling import to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from ksail_pulumi.lifecycle.kind import Kind
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.kinds import Verbs


class OwnProvider(OmniProvider):
    """The verbs of a resource, by its kind. What they need is imported when they are called."""

    @property
    @abstractmethod
    def kind(self) -> Kind[Any]:
        """The kind of the resource."""

    def _verbs(self, call: Call) -> Verbs:
        from ksail_pulumi.provider.kinds import Verbs

        return Verbs(call, self.kind, self._settings)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Are the inputs right, and would Omni take them?"""
        from ksail_pulumi.provider.expiry import warn_of_expiry

        with host.call(olds, news) as call:
            warn_of_expiry(call, self._settings, news)
            return self._verbs(call).check(olds, news)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """What differs in meaning."""
        with host.call(olds, news) as call:
            return self._verbs(call).diff(id_, olds, news)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the resource."""
        with host.call(props) as call:
            return self._verbs(call).create(props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look at the resource as it is."""
        with host.call(props) as call:
            return self._verbs(call).read(id_, props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Change the resource to the new inputs."""
        with host.call(olds, news) as call:
            return self._verbs(call).update(id_, olds, news)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Delete the resource and wait until it is gone."""
        with host.call(props) as call:
            self._verbs(call).delete(id_, props)


class OwnResource(dynamic.Resource, module="ksail", name="OwnResource"):
    """A resource other than a cluster. A class of it calls `_declare` with its inputs."""

    _kind: ClassVar[str]
    """The name of the class of resources, in the type token and in texts."""

    _noun: ClassVar[str]
    """The kind in texts, such as `machine class`."""

    _id_input: ClassVar[str] = "name"
    """The input that is the ID; `""` for none."""

    _facts: ClassVar[tuple[str, ...]] = ()
    """The outputs on the wire that are not inputs."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Pulumi would give a subclass of a user a type token of its own, and lose the resources in existing states.
        super().__init_subclass__(module="ksail", name=cls._kind, **kwargs)

    def _declare(
        self,
        provider: OwnProvider,
        resource_name: str,
        inputs: Mapping[str, Any],
        opts: ResourceOptions | None,
        *,
        default_name: bool = True,
    ) -> None:
        """Register the resource.

        Args:
            provider: Its provider.
            resource_name: Its name in Pulumi.
            inputs: The inputs by their names in Python; None for one that is not set.
            opts: Pulumi's options.
            default_name: Whether the input `name` is the resource's name if it is not set.
        """
        opts, part = ResourceOptions.merge(opts, None), f"{self._kind}Inputs"
        hidden: dict[str, Any] = {}
        with program.reported(resource_name, self._kind):
            refuse_shapeless(inputs)
            wire = with_outputs(to_wire(inputs, part))
            refuse_unsendable(wire)
            if opts.id is None:
                wire = with_files(wire, root=Path(pulumi.get_root_directory() or "."))
            to_stored_names(opts, wire, part, self._facts)
            if opts.id is None:
                if default_name and "name" not in wire:
                    wire["name"] = resource_name
                    hidden[NAME_LEFT_OUT] = True
                if not opts.delete_before_replace:
                    hidden[CREATE_FIRST] = True
                if pulumi.runtime.is_dry_run():
                    hidden[PREVIEW] = True
                organization = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
                hidden[OWNER] = f"{organization}/{resource_name}"
            if opts.import_ is not None:
                # The engine's import cannot reach a dynamic provider; create takes the resource over instead.
                if not self._id_input:
                    raise InputError("", "the option `import_` is not supported: remove it")
                field, default = self._id_input, resource_name if default_name else ""
                wire[field] = imported_id(
                    opts.import_, wire.get(field, opts.import_), default, field=field, noun=self._noun
                )
                hidden[ADOPT] = True
                hidden.pop(NAME_LEFT_OUT, None)
                opts.import_ = None
        # The marks come first: what is wrong with an output is found there. Pulumi makes an output of every other key.
        marks = {MARKED: Marks(self, resource_name, wire if opts.id is None else {"name": opts.id}, self._kind)}
        names = dict.fromkeys((*self._facts, *(field.wire for field in FIELDS[part].values())))
        self._declared = wire
        super().__init__(provider, resource_name, {**marks, **names, **wire, **hidden}, opts)

    @classmethod
    def get(cls, resource_name: str, id: pulumi.Input[str], opts: ResourceOptions | None = None) -> Self:  # noqa: A002
        """One that exists and that this program does not manage. Raises at deployment if there is none."""
        # A subclass takes its inputs by keyword instead of Pulumi's provider and properties.
        return cls(resource_name, opts=ResourceOptions.merge(opts, ResourceOptions(id=id)))  # type: ignore[call-arg, arg-type]

    def _output(self, key: str) -> Output[Any]:
        return cast("Output[Any]", self.__dict__[key])
