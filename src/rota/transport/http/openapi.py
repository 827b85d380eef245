"""The description of the API, OpenAPI 3.1, made from the table of routes: what is in the one is in the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from rota.model.version import VERSION
from rota.transport.http.problem_examples import EXAMPLES
from rota.transport.http.route import JSON, Route

ANY_REQUEST = (400, 401, 403, 421, 429, 500, 503)
"""What every request may be refused with."""
ANY_BODY = (413, 415, 422)
"""What a request with a body may be refused with as well."""
BARE = {414: "The address is over 8 KiB. Without a body.", 431: "The head is too large. Without a body."}
"""What is refused before it is known what was asked for."""
STREAM = "text/event-stream"
_TEMPLATE = "#/components/schemas/{name}"
_PART = re.compile(r"{(\w+)}")
_PARTS = {
    "id": "Of a task its id, a UUID. Of a worker its id, or its name where one alone has it.",
    "name": "Percent-encoded once. For groups, `-` is the group of the tasks without one.",
    "kid": "The part of a token that is no secret.",
}
TAGS = {
    "tasks": "Submit, read, wait, cancel, run again, delete.",
    "methods": "What workers offer.",
    "groups": "Labels that lead tasks to workers: how they stand, pause, limits.",
    "workers": "The processes that run handlers.",
    "node": "How the node stands, and what is set for all of it.",
    "events": "Everything that changes, as it changes.",
    "access": "Tokens, and the audit log.",
    "description": "This description.",
}
_ABOUT = """Every verb of a node, as JSON over HTTP.

Instants are RFC 3339 in UTC with microseconds, durations are seconds, ids are UUIDs. Params and results are any JSON; a node
never looks inside. Fields that are not known are refused. All errors have one shape, `Problem`, whose `code` is stable.

A node that listens on loopback alone is open until somebody makes a token; after that, and on every other node, each request
carries one: `Authorization: Bearer TOKEN`."""


class Fault(Struct, frozen=True):
    """One wrong place in what was sent."""

    path: str
    code: str
    message: str


class Problem(Struct, frozen=True):
    """What went wrong (RFC 9457). `code` is for programs and stable; `detail` is for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[Fault]


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole description, as JSON's objects."""
    table = list(routes)
    shapes = {shape: None for route in table for shape in _shapes(route)}
    known = [*shapes, Problem]
    refs, components = msgspec.json.schema_components(known, ref_template=_TEMPLATE)
    by_shape = dict(zip(known, refs, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_shape, components)
    used = [tag for tag in TAGS if any(route.tag == tag for route in table)]
    queries = {ref["$ref"].rpartition("/")[2] for shape, ref in by_shape.items() if _is_query(shape, table)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rota", "version": VERSION, "summary": "A task scheduler.", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": TAGS[tag]} for tag in used],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token; see `POST /api/v1/tokens`."}
            },
            "responses": {_refusal_name(status): _refusal(status, by_shape) for status in EXAMPLES},
            "schemas": {name: _tidy(schema) for name, schema in sorted(components.items()) if name not in queries},
        },
    }


def _shapes(route: Route) -> Iterable[Any]:
    for answer in route.answers.values():
        yield from (each for each in _several(answer) if each is not None)
    yield from _several(route.body) if route.body is not None else ()
    if route.query is not None:
        yield route.query


def _several(shape: Any) -> tuple[Any, ...]:
    return shape if isinstance(shape, tuple) else (shape,)


def _is_query(shape: Any, table: list[Route]) -> bool:
    return any(route.query is shape for route in table)


def _operation(route: Route, by_shape: Mapping[Any, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "description": _description(route),
        "tags": [route.tag],
        "x-roles": sorted(route.roles),
        "parameters": [*_parts(route), *_query(route, by_shape, components), *_headers(route)],
        "responses": _responses(route, by_shape),
    }
    if route.body is not None:
        said["requestBody"] = _body(route, by_shape)
    return said


def _name(route: Route) -> str:
    words = route.template.replace("{", "").replace("}", "").strip("/").replace("/", "_").replace(".", "_")
    return f"{route.method.lower()}_{words}"


def _description(route: Route) -> str:
    roles = f"Needs one of the roles {', '.join(sorted(route.roles))}."
    return f"{route.about}\n\n{roles}" if route.about else roles


def _parts(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARTS[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PART.findall(route.template)
    ]


def _query(route: Route, by_shape: Mapping[Any, Any], components: Mapping[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = components[by_shape[route.query]["$ref"].rpartition("/")[2]]
    needed = schema.get("required", ())
    return [_parameter(name, dict(each), name in needed) for name, each in schema["properties"].items()]


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a field that may be null, what it is about stands beside it, and that null is its default goes without saying."""
    for field in schema.get("properties", {}).values():
        if "anyOf" in field:
            about = [each.pop("description") for each in field["anyOf"] if "description" in each]
            if about and "description" not in field:
                field["description"] = about[0]
        if field.get("default", ...) is None:
            del field["default"]
    return schema


def _parameter(name: str, schema: dict[str, Any], needed: bool) -> dict[str, Any]:
    about = schema.pop("description", "")
    if "anyOf" in schema:
        # null cannot be said in an address
        (only,) = (each for each in schema.pop("anyOf") if each.get("type") != "null")
        schema = {**only, **schema}
        about = schema.pop("description", about)
    if schema.get("default", ...) in (None, []):
        del schema["default"]
    found = {"name": name, "in": "query", "required": needed, "schema": schema}
    return {**found, "description": about} if about else found


def _headers(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in route.headers.items()
    ]


def _body(route: Route, by_shape: Mapping[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _schema(route.body, by_shape)}
    if route.examples:
        content["examples"] = {f"example {number}": {"value": value} for number, value in enumerate(route.examples, 1)}
    return {"required": route.body_needed, "content": {"application/json": content}}


def _schema(shape: Any, by_shape: Mapping[Any, Any]) -> Any:
    several = _several(shape)
    return by_shape[shape] if len(several) == 1 else {"anyOf": [by_shape[each] for each in several]}


def _responses(route: Route, by_shape: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, shape in route.answers.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": _REQUEST_ID}
        if shape is not None:
            schema = _schema(shape, by_shape)
            answer["content"] = {
                kind: {"schema": schema if kind == JSON else {"type": "string"}} if kind != STREAM else {}
                for kind in route.media_types
            }
        found[str(status)] = answer
    refusals = {*ANY_REQUEST, *route.errors, *(ANY_BODY if route.body is not None else ())}
    if route.method != "GET":
        refusals.add(507)
    if "{" in route.template:
        refusals.add(404)
    if route.query is None and not route.body:
        refusals.add(422)
    for status in sorted(refusals):
        found[str(status)] = {"$ref": f"#/components/responses/{_refusal_name(status)}"}
    found.update((str(status), {"description": words}) for status, words in BARE.items())
    return found


def _refusal_name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _refusal(status: int, by_shape: Mapping[Any, Any]) -> dict[str, Any]:
    code, detail = EXAMPLES[status]
    phrase = HTTPStatus(status).phrase
    example = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": "5eecaf87a3c31e8f",
        "errors": [],
    }
    content = {"application/problem+json": {"schema": by_shape[Problem], "example": example}}
    return {"description": phrase, "headers": _REQUEST_ID, "content": content}


_REQUEST_ID = {
    "X-Request-Id": {
        "description": "The id that was sent, or one made here; the node's log has it too.",
        "schema": {"type": "string"},
    }
}
