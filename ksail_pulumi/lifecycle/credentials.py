"""The expiry of a kubeconfig.

Omni's service account kubeconfig contains a JWT (RFC 7519) as a static token, with its expiry in the claim `exp`.
`diff` uses this module on every `up`, so it imports little and makes no call.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"^\s*token:\s*[\"']?([\w-]+\.[\w-]+\.[\w-]*)", re.MULTILINE)
_A_WEEK = timedelta(days=7)
_USUAL_LIFE = timedelta(hours=720)


def expires_at(kubeconfig: str) -> datetime | None:
    """When the token of the kubeconfig expires; None if it does not say."""
    end = _claims(kubeconfig).get("exp")
    return datetime.fromtimestamp(end, UTC) if isinstance(end, int | float) else None


def renewal_due(kubeconfig: str, options: Mapping[str, Any] | None, now: datetime | None = None) -> bool:
    """Whether a kubeconfig that was made with these options has expired, or expires within their `renewBefore`.

    `renewBefore` is limited to half the lifetime of the token; otherwise every `up` would renew it.
    """
    from ksail_pulumi.model.durations import duration

    claims = _claims(kubeconfig)
    end, begin = claims.get("exp"), claims.get("iat")
    if not isinstance(end, int | float):
        return False
    life = timedelta(seconds=end - begin) if isinstance(begin, int | float) else _USUAL_LIFE
    asked = (options or {}).get("renewBefore")
    margin = min(duration(asked), life / 2) if asked else min(life / 4, _A_WEEK)
    return (now or datetime.now(UTC)) >= datetime.fromtimestamp(end, UTC) - margin


def _claims(kubeconfig: str) -> dict[str, Any]:
    """The claims of the token in a kubeconfig, without a check of the signature."""
    found = _TOKEN.search(kubeconfig)
    if not found:
        return {}
    payload = found[1].split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
