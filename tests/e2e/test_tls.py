"""A house over TLS, as one across machines is run: a certificate of an own authority, tokens, `https://` addresses."""

from __future__ import annotations

import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import House, house

from rota import CannotConnect, Client, NotAuthenticated

OLD, NEW = "Vq8-long-random-words-that-nobody-guesses-71", "Zt3-quite-another-line-of-random-letters-05"


class TlsHouse(House):
    """A house whose node speaks TLS and asks for tokens."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = self.url.replace("http://", "https://")
        self.cert, self.tokens = folder / "cert.pem", folder / "tokens"
        key = folder / "key.pem"
        make = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        )
        subprocess.run([*make.split(), "-keyout", key, "-out", self.cert], check=True, capture_output=True)
        key.chmod(0o600)
        self.write_tokens(f"admin {OLD}")
        self.start_node("--tls-cert", str(self.cert), "--tls-key", str(key), "--token-file", str(self.tokens))

    def write_tokens(self, *lines: str) -> None:
        self.tokens.touch(0o600)
        self.tokens.write_text("\n".join(lines))


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsHouse]:
    made = None
    with house(tmp_path) as cleaned:
        made = TlsHouse(tmp_path)
        cleaned.processes = made.processes
        monkeypatch.setenv("SSL_CERT_FILE", str(made.cert))
        yield made


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_client_worker_and_status_page_work_over_tls(where: TlsHouse) -> None:
    where.start_worker(env={"ROTA_TOKEN": OLD})
    with Client(where.url, token=OLD) as client:
        assert client.execute("add", {"a": 1, "b": 2}, wait_timeout=20) == 3
    request = urllib.request.Request(f"{where.url}/", headers={"Authorization": f"Bearer {OLD}"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=where.cert)) as answer:
        assert answer.status == 200


def test_who_does_not_trust_the_certificate_or_speaks_no_tls_is_told(
    where: TlsHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CannotConnect), Client(where.url.replace("https:", "http:"), connect_timeout=1) as client:
        client.stats()
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        pytest.raises(CannotConnect, match="ROTA_TLS_CA"),
        Client(where.url, token=OLD, connect_timeout=1) as client,
    ):
        client.stats()


def test_tokens_are_read_anew_at_a_hangup_and_a_bad_file_changes_nothing(where: TlsHouse) -> None:
    assert where.node is not None

    def is_known(token: str) -> bool:
        try:
            with Client(where.url, token=token) as client:
                return bool(client.stats().node_id)
        except NotAuthenticated:
            return False

    assert is_known(OLD)
    where.write_tokens("admin short")
    where.node.signal(signal.SIGHUP)
    until(lambda: "the tokens stay as they were" in where.node.log.read_text())
    assert is_known(OLD)
    where.write_tokens(f"admin {NEW}")
    where.node.signal(signal.SIGHUP)
    until(lambda: "the token file was read anew" in where.node.log.read_text())
    assert is_known(NEW)
    assert not is_known(OLD)
    with Client(where.url, token=NEW) as client:
        assert client.stats().node_id
