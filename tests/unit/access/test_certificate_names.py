"""What is read in a certificate: its end, and its names."""

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.access.certificate import dns_names, not_after, read_certificate


def certify(folder: Path, names: str) -> bytes:
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 10 -addext subjectAltName={names}"
    cert = folder / "cert.pem"
    subprocess.run([*make.split(), "-keyout", folder / "key.pem", "-out", cert], check=True, capture_output=True)
    return read_certificate(cert)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("DNS:rota.example.org,DNS:*.Wild.example,IP:10.0.0.1,URI:rota://rota/role/node", {"rota.example.org", "*.wild.example"}),
        ("critical,DNS:a", {"a"}),
        ("IP:10.0.0.1", set()),
        (",".join(f"DNS:host-{number}.example.org" for number in range(100)), {f"host-{n}.example.org" for n in range(100)}),
    ],
)  # fmt: skip
def test_its_dns_names_are_found(tmp_path: Path, names: str, found: set[str]) -> None:
    assert dns_names(certify(tmp_path, names)) == found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return certify(tmp_path_factory.mktemp("cert"), "DNS:rota.example.org")


@given(data=st.data())
def test_what_is_no_certificate_has_no_names_and_no_end(whole: bytes, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:kept] + data.draw(st.binary(max_size=40))
    assert isinstance(dns_names(broken), frozenset)
    with contextlib.suppress(ValueError, IndexError):
        not_after(broken)
