"""Text from tasks and workers, made harmless for a terminal: what could move the cursor or turn the writing is escaped."""

from __future__ import annotations

import json
import re

_TURNING = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f{_TURNING}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNING}]")
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f{_TURNING}]")


def one_line(text: str) -> str:
    """The text with every control and bidirectional character as an escape; line ends too."""
    return _UNSAFE.sub(_escape, text)


def many_lines(text: str) -> str:
    """The same, but tabs and line ends stay."""
    return _UNSAFE_IN_LINES.sub(_escape, text)


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON that is as harmless; JSON's own escapes cover the rest."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(match: re.Match[str]) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(match[0])
    return known.get(match[0], f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
