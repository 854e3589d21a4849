"""What a simulated Omni keeps from one run to the next: its key, its port, its machines and all resources."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from pydantic import Base64Bytes, BaseModel, ValidationError

from ksail_pulumi.omni.api import resource_pb2
from ksail_pulumi.omni.resources import TYPES, Resource, from_wire, to_wire
from ksail_pulumi.simulator.machines import EmulatedMachine


class NotSavedError(ValueError):
    """The text is not that of a saved Omni."""


class SavedOmni(BaseModel):
    """An Omni as text.

    Attributes:
        version: The form of the text.
        port: Its port on 127.0.0.1.
        proxy_port: The port of its proxy of Kubernetes APIs; 0 for any.
        service_account_key: Its key; a secret.
        expires_at: When the key expires.
        machines: The machines with their states. What a machine was doing begins again.
        resources: All resources, each as on the wire.
    """

    version: Literal[1] = 1
    port: int
    proxy_port: int = 0
    service_account_key: str
    expires_at: datetime
    machines: list[EmulatedMachine]
    resources: list[Base64Bytes]

    @staticmethod
    def of(
        ports: tuple[int, int],
        key: str,
        expires_at: datetime,
        machines: Iterable[EmulatedMachine],
        resources: Iterable[Resource],
    ) -> SavedOmni:
        """Save an Omni; `ports` are its own and that of its proxy of Kubernetes APIs."""
        wires = [to_wire(each).SerializeToString() for each in resources if each.type.name in TYPES]
        return SavedOmni.model_construct(
            version=1,
            port=ports[0],
            proxy_port=ports[1],
            service_account_key=key,
            expires_at=expires_at,
            machines=list(machines),
            resources=wires,
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """The Omni in a text.

        Raises:
            NotSavedError: It is not one.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise NotSavedError("not the state of a simulated Omni") from None

    def text(self) -> str:
        """The Omni as text."""
        # The timer of a machine is its place in the queue of the clock.
        return self.model_dump_json(exclude={"machines": {"__all__": {"timer"}}})

    def restored(self) -> list[Resource]:
        """The resources."""
        return [from_wire(resource_pb2.Resource.FromString(wire)) for wire in self.resources]
