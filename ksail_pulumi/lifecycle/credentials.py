"""The expiry of a kubeconfig.

Omni's service account kubeconfig contains a JWT (RFC 7519) as a static token, with its expiry in the claim `exp`.
`diff` uses this module on every `up`, so it imports little and makes no call.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ksail_pulumi.access.tokens import claims_of, expiry

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"^\s*token:\s*[\"']?([\w-]+\.[\w-]+\.[\w-]*)", re.MULTILINE)
_A_WEEK = timedelta(days=7)
_USUAL_LIFE = timedelta(hours=720)


def expires_at(kubeconfig: str) -> datetime | None:
    """When the token of the kubeconfig expires; None if it does not say."""
    return expiry(_claims(kubeconfig))


def renewal_due(kubeconfig: str, options: Mapping[str, Any] | None, now: datetime | None = None) -> bool:
    """Whether a kubeconfig that was made with these options has expired, or expires within their `renewBefore`.

    `renewBefore` is limited to half the lifetime of the token; otherwise every `up` would renew it.
    """
    from ksail_pulumi.model.durations import duration

    claims = _claims(kubeconfig)
    end, begin = expiry(claims), claims.get("iat")
    if end is None:
        return False
    life = end - datetime.fromtimestamp(begin, UTC) if isinstance(begin, int | float) else _USUAL_LIFE
    asked = (options or {}).get("renewBefore")
    margin = min(duration(asked), life / 2) if asked else min(life / 4, _A_WEEK)
    return (now or datetime.now(UTC)) >= end - margin


def _claims(kubeconfig: str) -> dict[str, Any]:
    found = _TOKEN.search(kubeconfig)
    return claims_of(found[1]) if found else {}
