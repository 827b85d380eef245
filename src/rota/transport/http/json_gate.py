"""Bodies in: JSON bytes become a checked Struct, or a refusal that names every wrong place.

The usual way is one pass by msgspec, and a count that proves that no field was given twice. What does not get through is
read again with care (`json_faults.py`), to tell all that is wrong. Fields of type `msgspec.Raw`, params, are only checked
to be well-formed JSON; nobody looks into them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, inspect

from rota.transport.http.json_faults import MAX_DEPTH, check_well, faults_of

LARGE = 256 * 1024
S = TypeVar("S", bound=msgspec.Struct)
_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[dict[str, Raw]])


class Gates:
    """For a body of one of several shapes: the last one where its first field is there, else the first."""

    def __init__(self, shapes: tuple[type[msgspec.Struct], ...]) -> None:
        self._first, self._last = JsonGate(shapes[0]), JsonGate(shapes[-1])
        self._mark = shapes[-1].__struct_fields__[0] if len(shapes) > 1 else ""
        self._quoted = f'"{self._mark}"'.encode()

    async def take(self, body: bytes) -> Any:
        """As `read`; a large body is taken apart beside the loop, which others wait for."""
        return self.read(body) if len(body) <= LARGE else await asyncio.to_thread(self.read, body)

    def read(self, body: bytes) -> Any:
        """As `JsonGate.read`."""
        several = self._mark and self._quoted in body and self._mark in _names_in(body)
        return (self._last if several else self._first).read(body)


def _names_in(body: bytes) -> Iterable[str]:
    try:
        return _fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


class JsonGate(Generic[S]):
    """For one shape. A shape's `Raw` fields are opaque; it forbids unknown fields."""

    def __init__(self, shape: type[S]) -> None:
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape)
        self._nested = _nested_fields(shape)
        self._items = _field_of_items(shape)

    def read(self, body: bytes) -> S:
        """Raises InvalidInput: with codes of 400 for what is no proper JSON, else with a fault for each wrong place."""
        try:
            given = _fields.decode(body)
            value = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise faults_of(body, self.shape, str(error)) from None
        if not body.isascii() or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            check_well(body)
        if self._may_repeat(body, given, value):
            refusal = faults_of(body, self.shape, "")
            if refusal.errors:
                raise refusal
        return value

    def _may_repeat(self, body: bytes, given: dict[str, Raw], value: S) -> bool:
        """Whether a field may have been given twice.

        Names of fields have no colon: so many as stand outside the values, so many fields were given.
        """
        if body.count(b":") != len(given) + b"".join(given.values()).count(b":"):
            return True
        if self._items and self._items in given:
            return self._items_may_repeat(given[self._items], value)
        return not self._nested.isdisjoint(given)

    def _items_may_repeat(self, raw: Raw, value: S) -> bool:
        items = _items.decode(raw)
        inner = [raw for item in items for raw in item.values()]
        if bytes(raw).count(b":") != sum(map(len, items)) + b"".join(inner).count(b":"):
            return True
        nested = _nested_in(type(getattr(value, self._items)[0]))
        return any(not nested.isdisjoint(item) for item in items)


_known_nested: dict[type, frozenset[str]] = {}


def _nested_in(shape: type[msgspec.Struct]) -> frozenset[str]:
    found = _known_nested.get(shape)
    if found is None:
        found = _known_nested[shape] = _nested_fields(shape)
    return found


def _nested_fields(shape: type[msgspec.Struct]) -> frozenset[str]:
    """The fields that hold objects of the envelope: labels, filters."""
    return frozenset(
        field.name for field in msgspec.structs.fields(shape) if _holds_objects(inspect.type_info(field.type))
    )


def _holds_objects(found: inspect.Type) -> bool:
    if isinstance(found, inspect.Metadata):
        return _holds_objects(found.type)
    if isinstance(found, inspect.UnionType):
        return any(map(_holds_objects, found.types))
    if isinstance(found, inspect.ListType):
        return _holds_objects(found.item_type)
    return isinstance(found, (inspect.StructType, inspect.DictType))


def _field_of_items(shape: type[msgspec.Struct]) -> str:
    """The field of a batch that holds its items, of which there may be many."""
    for field in msgspec.structs.fields(shape):
        found = inspect.type_info(field.type)
        while isinstance(found, inspect.Metadata):
            found = found.type
        if isinstance(found, inspect.ListType) and isinstance(found.item_type, inspect.StructType):
            return field.name
    return ""
