"""The errors of this package.

The text of each error is a whole message for the user: what is wrong and what to do. It never contains a secret.

    KsailPulumiError
    ├── InputError                 an input is not valid; names the field
    │   └── ConfigFileError        ... in a file; also names file and line
    ├── SettingsError              how to reach Omni is missing or wrong (endpoint, key, CA file)
    ├── OmniError                  Omni answered with an error, or did not answer
    │   ├── UnreachableError       no connection, or no answer in time
    │   ├── AuthenticationError    Omni did not accept the signature
    │   ├── PermissionDeniedError
    │   ├── NotFoundError
    │   ├── AlreadyExistsError
    │   ├── ConflictError          version conflict or pending finalizers
    │   ├── RefusedError           Omni's validation refused the request
    │   └── UnsupportedError       this Omni does not support the call
    └── LifecycleError             the cluster cannot be brought to the desired state
        ├── NotEnoughMachinesError
        ├── ForeignClusterError    a cluster of this name exists and belongs to someone else
        ├── ClusterGoneError       the cluster was deleted by someone else during the wait
        ├── ClusterFailedError     a failure lasted longer than the grace time
        ├── WaitTimeoutError       the deadline passed
        └── CancelledError         the user interrupted the wait
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.redaction import without_keys

if TYPE_CHECKING:
    from collections.abc import Sequence


class KsailPulumiError(Exception):
    """The base class of all errors of this package.

    Attributes:
        outputs: If an operation fails after Omni has accepted the cluster, the
            `ksail_pulumi.lifecycle.outputs.ClusterOutputs` so far: the caller saves them and continues next time. Of
            another resource, its `ksail_pulumi.lifecycle.kind.Found`. None if there is nothing to save.
    """

    outputs: Any = None

    def __str__(self) -> str:
        return without_keys(super().__str__())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class InputError(KsailPulumiError):
    """An input is not valid.

    Attributes:
        field: The path of the field in wire names (`controlPlane.machines[0]`), `""` for the whole.
        reason: What is wrong with it and what to do.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}" if field else reason)


class ConfigFileError(InputError):
    """A file is not valid.

    Attributes:
        path: The file, as the user named it.
        line: The line in it, counted from 1; 0 where none is known.
    """

    def __init__(self, path: str, line: int, field: str, reason: str) -> None:
        self.path = path
        self.line = line
        super().__init__(field, reason)
        where = f"{path}:{line}" if line else path
        self.args = (f"{where}: {self.args[0]}",)


class SettingsError(KsailPulumiError):
    """How to reach Omni is missing or wrong."""


class OmniError(KsailPulumiError):
    """Omni answered with an error, or did not answer.

    Attributes:
        method: The gRPC method, `""` where no call was made.
        detail: Omni's own text.
    """

    def __init__(self, message: str, *, method: str = "", detail: str = "") -> None:
        self.method = method
        self.detail = detail or message
        super().__init__(message)


class UnreachableError(OmniError):
    """There was no connection, or no answer in time."""


class AuthenticationError(OmniError):
    """Omni did not accept the signature of the call."""


class PermissionDeniedError(OmniError):
    """The service account's role does not allow the call."""


class NotFoundError(OmniError):
    """The resource does not exist."""


class AlreadyExistsError(OmniError):
    """A resource of this type and ID exists."""


class ConflictError(OmniError):
    """The resource was changed by someone else, or has pending finalizers."""


class RefusedError(OmniError):
    """Omni's validation refused the request."""


class UnsupportedError(OmniError):
    """This Omni does not support the call."""


class LifecycleError(KsailPulumiError):
    """The cluster cannot be brought to the desired state."""


class NotEnoughMachinesError(LifecycleError):
    """There are fewer available machines than the cluster needs.

    Attributes:
        needed: How many machines the cluster still needs.
        available: How many are available.
        excluded: Why the others are unavailable, one phrase per reason (`"2 allocated to cluster staging"`).
    """

    def __init__(self, needed: int, available: int, excluded: Sequence[str] = ()) -> None:
        self.needed = needed
        self.available = available
        self.excluded = tuple(excluded)
        message = f"not enough available machines in Omni for the requested node count: need {needed}, got {available}"
        remedy = "register more machines in Omni, or request fewer"
        if excluded:
            message += f" (unavailable: {'; '.join(excluded)})"
            remedy = "make some of these available, register more machines in Omni, or request fewer"
        super().__init__(f"{message}; {remedy}")


class ForeignClusterError(LifecycleError):
    """A cluster of this name exists and was not created by this resource."""


class ClusterGoneError(LifecycleError):
    """During a wait the cluster was deleted, is being deleted, or was replaced by another one of the same name."""


class ClusterFailedError(LifecycleError):
    """A failure lasted longer than the grace time, so it is not temporary."""


class WaitTimeoutError(LifecycleError):
    """The deadline passed before the cluster reached the desired state."""


class CancelledError(LifecycleError):
    """The user interrupted the wait; changes already written to Omni are kept."""
