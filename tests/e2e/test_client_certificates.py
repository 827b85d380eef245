"""A house where certificates stand for tokens: clients, workers and the CLI show theirs, and get what stands in them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ROTA, House, house

from rota import CannotConnect, Client, Forbidden, NotAuthenticated, RotaError, Tls

DAYS = ("-days", "2")


def openssl(*args: str | Path) -> None:
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class CertifiedHouse(House):
    """With an authority of its own. `tls(role)` makes what a program of that role shows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = self.url.replace("http://", "https://")
        self.ca, self._ca_key = folder / "ca.pem", folder / "ca.key"
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *DAYS)
        openssl(*new, "-subj", "/CN=house", "-keyout", self._ca_key, "-out", self.ca)

    def signed(self, name: str, names: str) -> tuple[Path, Path]:
        """A certificate and its key. `names`: its subject alternative names."""
        cert, key, asked = (self.folder / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        fresh = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}")
        openssl(*fresh, "-keyout", key, "-out", asked)
        by = ("-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial", *DAYS, "-extfile", extensions)
        openssl("x509", "-req", "-in", asked, *by, "-out", cert)
        key.chmod(0o600)
        return cert, key

    def start_certified_node(self, auth: str) -> None:
        cert, key = self.signed("node", "IP:127.0.0.1")
        flags = ("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", self.ca, "--tls-client-auth", auth)
        self.start_node(*map(str, flags))

    def tls(self, role: str) -> Tls:
        return Tls(self.ca, *self.signed(role, f"URI:rota://rota/role/{role}"))


@pytest.fixture
def where(tmp_path: Path) -> Iterator[CertifiedHouse]:
    with house(tmp_path) as cleaned:
        made = CertifiedHouse(tmp_path)
        cleaned.processes = made.processes
        yield made


def test_client_worker_and_cli_work_with_certificates_alone(where: CertifiedHouse) -> None:
    where.start_certified_node("required")
    tls = where.tls("worker")
    flags = ("--tls-ca", tls.ca, "--tls-client-cert", tls.cert, "--tls-client-key", tls.key)
    where.start_worker(*map(str, flags))
    with Client(where.url, tls=where.tls("client")) as client:
        assert client.execute("add", [1, 2], wait_timeout=20) == 3
        with pytest.raises(Forbidden):
            client.pause()
    viewer = where.tls("viewer")
    done = subprocess.run(
        [ROTA, "list", "--url", where.url, "--json"],
        env={"ROTA_TLS_CA": str(viewer.ca), "ROTA_TLS_CLIENT_CERT": str(viewer.cert), "ROTA_TLS_CLIENT_KEY": str(viewer.key)},
        capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert (done.returncode, '"add"' in done.stdout) == (0, True), done.stderr


def test_who_shows_none_or_another_authoritys_is_not_let_in(where: CertifiedHouse, tmp_path: Path) -> None:
    where.start_certified_node("required")
    (tmp_path / "other").mkdir()
    other = CertifiedHouse(tmp_path / "other").tls("admin")
    for tls in (Tls(where.ca), Tls(where.ca, other.cert, other.key)):
        with Client(where.url, tls=tls, connect_timeout=1.0) as client, pytest.raises(CannotConnect):
            client.stats()


def test_where_certificates_are_optional_who_shows_none_needs_a_token(where: CertifiedHouse) -> None:
    where.start_certified_node("optional")
    with Client(where.url, tls=Tls(where.ca), connect_timeout=5.0) as client, pytest.raises(NotAuthenticated):
        client.stats()
    with Client(where.url, tls=where.tls("viewer")) as client:
        assert client.stats().node_id


def test_a_certificate_that_cannot_be_read_is_told_at_the_first_call(where: CertifiedHouse, tmp_path: Path) -> None:
    began = time.monotonic()
    with Client(where.url, tls=Tls(where.ca, tmp_path / "none.pem", tmp_path / "none.key")) as client:
        with pytest.raises(RotaError) as refused:
            client.stats()
        assert refused.value.code == "bad_tls"
    assert time.monotonic() - began < 5, "no patience helps against that"
