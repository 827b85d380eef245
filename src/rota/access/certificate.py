"""What a node needs to know of its own certificate: until when it holds, and for which names. Nothing is verified here."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

SOON = datetime.timedelta(days=30)
_ALTERNATIVE_NAMES = b"\x06\x03\x55\x1d\x11"
"""The object identifier 2.5.29.17, in DER."""
_OCTETS, _DNS_NAME = 0x04, 0x82


def read_certificate(path: Path) -> bytes:
    """The first certificate of a PEM file, DER. Raises OSError, ValueError."""
    text = path.read_text("ascii", "replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start = text.index(begin)
    return ssl.PEM_cert_to_DER_cert(text[start : text.index(end, start) + len(end)])


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


def dns_names(der: bytes) -> frozenset[str]:
    """The DNS names among its subject alternative names, in small letters; none for what is no certificate."""
    at = der.find(_ALTERNATIVE_NAMES)
    if at < 0:
        return frozenset()
    found = set()
    try:
        at += len(_ALTERNATIVE_NAMES)
        if der[at] != _OCTETS:  # it says that it is critical
            at = _after(der, at)
        names = _inside(_inside(der, at), 0)
        at = 0
        while at < len(names):
            if names[at] == _DNS_NAME:
                found.add(_inside(names, at).decode("ascii").lower())
            at = _after(names, at)
    except (IndexError, UnicodeDecodeError):
        return frozenset()
    return frozenset(found)


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
