"""A certificate and its key, looked at before anything listens.

Raises RefusesToStart where they are missing, open to others, or do not belong together; warns of one about to expire.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from rota.config.secret import check_private
from rota.model.errors import RefusesToStart

_SOON = 30


def check_tls(cert: Path, key: Path, now: datetime.datetime) -> list[str]:
    """Warnings, for people. `now` has a time zone."""
    check_private(key, "TLS key")
    try:
        text = cert.read_text("ascii", "replace")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_password)
        expiry = not_after(ssl.PEM_cert_to_DER_cert(_first_certificate(text)))
    except (OSError, ValueError) as error:
        raise RefusesToStart(
            f"the certificate {cert} and the key {key} cannot be used together: {error}", code="tls_bad"
        ) from None
    return _expiry_warnings(cert, expiry, now)


def not_after(der: bytes) -> datetime.datetime:
    """When a certificate expires. Raises ValueError for what is no X.509 certificate."""
    certificate = _inside(der, 0)
    fields = _inside(certificate, 0)
    at = _after(fields, 0) if fields[:1] == b"\xa0" else 0
    for _ in range(3):  # serial number, algorithm, issuer
        at = _after(fields, at)
    validity = _inside(fields, at)
    start = _after(validity, 0)
    return _instant(validity[start], _inside(validity, start).decode("ascii"))


def _expiry_warnings(cert: Path, expiry: datetime.datetime, now: datetime.datetime) -> list[str]:
    days = (expiry - now).days
    if days < 0:
        return [f"the certificate {cert} expired on {expiry:%Y-%m-%d}: renew it"]
    return [f"the certificate {cert} expires on {expiry:%Y-%m-%d}, in {days} days: renew it"] if days < _SOON else []


def _first_certificate(text: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start = text.find(begin)
    stop = text.find(end, start)
    if start < 0 or stop < 0:
        raise ValueError("there is no PEM certificate in it")
    return text[start : stop + len(end)]


def _no_password() -> str:
    raise ValueError(
        "the key is locked by a password, which nobody would be there to type; store it unlocked, chmod 600"
    )


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER value at a place begins and ends."""
    if at + 2 > len(der):
        raise ValueError("the certificate is cut short")
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, begin = int.from_bytes(der[begin : begin + count], "big"), begin + count
    if begin + length > len(der):
        raise ValueError("the certificate is cut short")
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
