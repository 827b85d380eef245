"""The description of the API says what there is, and the page shows it without harm."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from rota.access.roles import ALL_ROLES
from rota.transport.asgi import BY_CODE
from rota.transport.http.docs_page import SAFE_FOR_THE_PAGE, render
from rota.transport.http.openapi import TAGS, describe
from rota.transport.http.problem_examples import EXAMPLES
from rota.transport.http.route import READERS, Reply, Request, Route
from rota.transport.http.routes import ROUTES


@pytest.fixture(scope="module")
def description() -> Any:
    return msgspec.json.decode(msgspec.json.encode(describe(ROUTES)))


def test_it_is_valid(description: Any) -> None:
    OpenAPIV31SpecValidator(description).validate()


def test_every_route_is_in_it_with_its_roles(description: Any) -> None:
    for route in ROUTES:
        operation = description["paths"][route.path][route.method.lower()]
        assert operation["x-roles"] == sorted(route.roles)
        assert operation["summary"] == route.summary
        assert operation["tags"][0] in TAGS
    said = sum(len(methods) for methods in description["paths"].values())
    assert said == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_says_who_may_ask(route: Route) -> None:
    assert route.roles
    assert route.roles <= ALL_ROLES
    assert route.roles >= {"admin"}
    if route.method != "GET":
        assert "viewer" not in route.roles


def test_every_name_is_told_once(description: Any) -> None:
    names = [each["operationId"] for methods in description["paths"].values() for each in methods.values()]
    assert len(names) == len(set(names))


def test_every_refusal_is_described_with_an_example(description: Any) -> None:
    for methods in description["paths"].values():
        for operation in methods.values():
            assert {"400", "401", "403", "429", "500", "503"} <= operation["responses"].keys()
    responses = description["components"]["responses"].values()
    for answer in responses:
        example = answer["content"]["application/problem+json"]["example"]
        assert HTTPStatus(example["status"]).phrase == example["title"]
    assert {status for status in BY_CODE.values() if status != 405} <= EXAMPLES.keys()


def test_fields_of_tasks_say_their_ranges(description: Any) -> None:
    fields = description["components"]["schemas"]["NewTask"]["properties"]
    assert fields["priority"]["anyOf"][0] == {"type": "integer", "minimum": -9, "maximum": 9}
    assert description["components"]["schemas"]["NewTask"]["additionalProperties"] is False
    assert all("description" in field or "$ref" in str(field) for name, field in fields.items() if name not in ("id",
        "concurrency_limit"))  # fmt: skip


HOSTILE = "<img src=x onerror=alert(1)>&\"'"


async def nothing(_: Request) -> Reply:
    return Reply()


class Shape(msgspec.Struct):
    """<script>alert(1)</script>"""

    field: int


def test_the_page_shows_every_text_as_text() -> None:
    route = Route(
        "GET", "/x/{id}", READERS, nothing, HOSTILE, "tasks", {200: Shape}, about=HOSTILE, headers={"X-A": HOSTILE},
        examples=({"a": HOSTILE},), body=Shape,
    )  # fmt: skip
    page = render(describe([route]))

    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_page_needs_nothing_from_elsewhere(description: Any) -> None:
    page = render(description)
    policy = dict(SAFE_FOR_THE_PAGE)[b"content-security-policy"].decode()

    assert "default-src 'none'" in policy
    assert not re.search(r"""\b(src|href)=['"]?(https?:)?//""", page)
    assert "<script" not in page
    assert " style=" not in page
    assert set(re.findall(r"href='#(\w+)'", page)) <= set(re.findall(r"id='(\w+)'", page))
    for route in ROUTES:
        assert route.path in page
