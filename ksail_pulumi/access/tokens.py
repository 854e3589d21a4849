"""What a token says: Omni's tokens for Kubernetes are JSON web tokens (RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any


def claims_of(token: object) -> dict[str, Any]:
    """The claims of a token, without a check of its signature; empty if it has none."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry(claims: dict[str, Any]) -> datetime | None:
    """When a token with these claims expires; None if they do not say."""
    end = claims.get("exp")
    return datetime.fromtimestamp(end, UTC) if isinstance(end, int | float) else None
