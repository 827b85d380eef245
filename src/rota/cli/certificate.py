"""When a certificate expires, so that people are told before it does."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

_SOON = 30
"""Days."""


def expiry_warning(cert: Path, now: datetime.datetime) -> str:
    """A sentence where it has expired or soon will; empty where not, or where the file is no certificate."""
    try:
        expiry = not_after(ssl.PEM_cert_to_DER_cert(_first_certificate(cert.read_text("ascii", "replace"))))
    except (OSError, ValueError, IndexError):
        return ""
    days = (expiry - now).days
    if days < 0:
        return f"the certificate {cert} expired on {expiry:%Y-%m-%d}: renew it"
    return f"the certificate {cert} expires on {expiry:%Y-%m-%d}, in {days} days: renew it" if days < _SOON else ""


def not_after(der: bytes) -> datetime.datetime:
    """The end of a certificate's time. Raises ValueError or IndexError for what is no X.509 certificate."""
    certificate = _inside(der, 0)
    fields = _inside(certificate, 0)
    at = _after(fields, 0) if fields[:1] == b"\xa0" else 0
    for _ in range(3):  # serial number, algorithm, issuer
        at = _after(fields, at)
    validity = _inside(fields, at)
    start = _after(validity, 0)
    return _instant(validity[start], _inside(validity, start).decode("ascii"))


def _first_certificate(text: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start = text.index(begin)
    return text[start : text.index(end, start) + len(end)]


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER value at a place begins and ends."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, begin = int.from_bytes(der[begin : begin + count], "big"), begin + count
    return begin, begin + length


def _inside(der: bytes, at: int) -> bytes:
    begin, end = _span(der, at)
    return der[begin:end]


def _after(der: bytes, at: int) -> int:
    return _span(der, at)[1]


def _instant(tag: int, text: str) -> datetime.datetime:
    """UTCTime (0x17) has two digits of the year, GeneralizedTime four."""
    if tag == 0x17:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)
