"""The description of the API as a page for people: rendered here, without scripts. Every text is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from rota.transport.asgi import SAFE, Header

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2330;--soft:#667085;--line:#e3e7ee;--page:#f6f7f9;--card:#fff;--mark:#2f6fed}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2b3340;--page:#12161d;--card:#1a202a;--mark:#7aa7ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,sans-serif}
main{max-width:980px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:22px;margin:0}h2{font-size:18px;margin:36px 0 4px}h3{font-size:14px;margin:18px 0 6px;color:var(--soft)}
p{margin:6px 0}.soft{color:var(--soft)}
code,pre{font:13px/1.5 ui-monospace,monospace}
code{background:var(--page);border-radius:5px;padding:1px 5px;overflow-wrap:anywhere}
pre{background:var(--page);border-radius:8px;padding:10px 12px;overflow-x:auto;margin:6px 0}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:8px 0;padding:0 14px}
details[open]{padding-bottom:12px}summary{cursor:pointer;padding:10px 0}
summary b{color:var(--mark);font-family:ui-monospace,monospace;font-size:13px;margin-right:8px}
table{border-collapse:collapse;width:100%}
td{padding:5px 12px 5px 0;border-top:1px solid var(--line);vertical-align:top}td:first-child{white-space:nowrap}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SAFE_FOR_THE_PAGE: tuple[Header, ...] = (
    *((name, value) for name, value in SAFE if name != b"content-security-policy"),
    (b"content-security-policy", _POLICY.encode()),
)
HTML = "text/html; charset=utf-8"
_CODE = re.compile(r"`([^`]+)`")
_REF = "#/components/schemas/"
Json = Mapping[str, Any]


def render(description: Json) -> str:
    """The whole page."""
    info = description["info"]
    schemas: Json = description["components"]["schemas"]
    refusals: Json = description["components"]["responses"]
    sections = "".join(_section(tag, description["paths"], refusals) for tag in description["tags"])
    shapes = "".join(_shape(name, schema) for name, schema in schemas.items())
    title = f"{info['title']} {info['version']}: HTTP API"
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f"{_prose(info['description'])}<p class=soft>For programs: <a href=openapi.json>openapi.json</a></p>"
        f"{sections}<h2>Shapes</h2>{shapes}</main></body></html>"
    )


def _section(tag: Json, paths: Json, refusals: Json) -> str:
    operations = "".join(
        _operation(method, path, operation, refusals)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    )
    return f"<h2>{escape(tag['name'])}</h2><p class=soft>{escape(tag['description'])}</p>{operations}"


def _operation(method: str, path: str, operation: Json, refusals: Json) -> str:
    parameters = "".join(
        _row(f"{each['name']} ({each['in']})", _words(each["schema"]), each.get("description", ""))
        for each in operation["parameters"]
    )
    body = operation.get("requestBody")
    answers = "".join(
        _row(status, _words(_content(answer)), answer["description"])
        for status, answer in ((said, _resolved(found, refusals)) for said, found in operation["responses"].items())
    )
    return (
        f"<details><summary><b>{method.upper()}</b><code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
        f"{_prose(operation['description'])}"
        f"{f'<h3>Parameters</h3><table>{parameters}</table>' if parameters else ''}"
        f"{_body(body) if body else ''}<h3>Answers</h3><table>{answers}</table></details>"
    )


def _resolved(answer: Json, refusals: Json) -> Json:
    return refusals[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer


def _body(body: Json) -> str:
    content = body["content"]["application/json"]
    examples = "".join(
        f"<pre>{escape(json.dumps(each['value'], indent=2, ensure_ascii=False))}</pre>"
        for each in content.get("examples", {}).values()
    )
    needed = "" if body["required"] else " (may be left out)"
    return f"<h3>Body{needed}</h3><p>{_words(content['schema'])}</p>{examples}"


def _content(answer: Json) -> Json:
    return next((each["schema"] for each in answer.get("content", {}).values() if "schema" in each), {})


def _shape(name: str, schema: Json) -> str:
    needed = schema.get("required", ())
    rows = "".join(
        _row(field + ("" if field in needed else "?"), _words(each), each.get("description", ""))
        for field, each in schema.get("properties", {}).items()
    )
    about = _prose(schema.get("description", ""))
    return f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>{about}<table>{rows}</table></details>"


def _row(name: str, kind: str, about: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{_inline(about)}</td></tr>"


def _words(schema: Json) -> str:
    """A schema in few words, as HTML."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"<a href='#{escape(name)}'>{escape(name)}</a>"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_words(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f" {low:g} … {high:g}" if low is not None and high is not None else ""
    return escape(f"{schema.get('format', kind)}{bounds}")


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
