"""Params and results are JSON text that nobody looks into; here it is made sure that they are JSON text at all.

Answers over HTTP carry them as they are. What is no JSON would break the answer around it, or write fields of its own into it.
"""

from __future__ import annotations

import msgspec

from rota.model.errors import InvalidInput

_read = msgspec.json.Decoder(msgspec.Raw).decode


def check_json(text: bytes, path: str) -> bytes:
    """The text as it is. Raises InvalidInput (`invalid_json`, `too_deep`, `invalid_unicode`) with the path."""
    if (fault := json_fault(text)) is not None:
        raise InvalidInput.at(path, *fault)
    return text


def json_fault(text: bytes) -> tuple[str, str] | None:
    """The code of what is wrong, and a sentence; None for one well-formed value."""
    try:
        _read(text)
        if not text.isascii():
            text.decode()
    except msgspec.DecodeError as error:
        return "invalid_json", f"this is not one value of JSON: {error}"
    except UnicodeDecodeError as error:
        return "invalid_unicode", f"byte {error.start} is not UTF-8; JSON is sent as UTF-8"
    except RecursionError:
        return "too_deep", "its lists and objects stand in each other too deep; send flatter data"
    return None
