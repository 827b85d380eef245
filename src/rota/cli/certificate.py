"""When a certificate expires, so that people are told before it does."""

from __future__ import annotations

import datetime
from pathlib import Path

from rota.access.certificate import SOON, not_after, read_certificate


def expiry_warning(cert: Path, now: datetime.datetime) -> str:
    """A sentence where it has expired or soon will; empty where not, or where the file is no certificate."""
    try:
        expiry = not_after(read_certificate(cert))
    except (OSError, ValueError, IndexError):
        return ""
    left = expiry - now
    if left < datetime.timedelta():
        return f"the certificate {cert} expired on {expiry:%Y-%m-%d}: renew it"
    return f"the certificate {cert} expires on {expiry:%Y-%m-%d}, in {left.days} days: renew it" if left < SOON else ""
