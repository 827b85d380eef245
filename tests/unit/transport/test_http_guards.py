"""What is looked at before anybody asks who it is: heads that were made to confuse."""

import pytest

from rota.transport import http_guards
from rota.transport.http_guards import Names, check_request

HOST = b"localhost:8080"


def refused(*origins: bytes, kind: str = "http", method: str = "POST", names: Names | None = None) -> str | None:
    """The code of the refusal; None: it may go on."""
    scope = {
        "type": kind,
        "method": method,
        "path": "/api/v1/tasks",
        "query_string": b"",
        "headers": [(b"host", HOST), *((b"origin", origin) for origin in origins)],
    }
    answer = check_request(scope, names or http_guards.own_names("127.0.0.1"))
    return None if answer is None else {403: "foreign_origin"}.get(answer.status, str(answer.status))


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"http://[::1",
        b"http://localhost:8080@evil.example",
        b"http://user@localhost:8080",
        b"http://localhost:8080.evil.example",
        b"http://localhost:8080/",
        b"http://localhost:8080\\.evil.example",
        b"http://localhost",
        b"http://localhost:80800",
        b"//localhost:8080",
        b"file://localhost:8080",
        b"chrome-extension://localhost:8080",
        b"localhost:8080",
        b"http://localhost:8080 http://evil.example",
        "http://l\u00f6calhost:8080".encode(),
        b"http://xn--lcalhost-n4a:8080",
        b"http://127.0.0.1:8080",
    ],
)
def test_row_36_an_origin_that_is_not_this_very_one_is_foreign(origin: bytes, kind: str) -> None:
    assert refused(origin, kind=kind) == "foreign_origin"


@pytest.mark.parametrize("origin", [b"http://localhost:8080", b"https://LOCALHOST:8080"])
def test_row_36_a_page_of_the_node_itself_may(origin: bytes) -> None:
    assert refused(origin) is None


def test_row_36_of_two_origins_none_counts() -> None:
    own, evil = b"http://localhost:8080", b"http://evil.example"
    assert {refused(own, evil), refused(evil, own), refused(own, own)} == {"foreign_origin"}
