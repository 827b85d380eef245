"""Options and methods. What is not said is not there on the wire, and None in the model."""

from __future__ import annotations

import math
from typing import Any

from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Method, Options
from rota.model.names import check_name
from rota.wire.v1 import link_pb2 as pb

_LARGEST = 2**62
_LISTS = ("retry_on", "give_up_on")
_SCALARS = tuple(name for name in pb.Options.DESCRIPTOR.fields_by_name if name not in _LISTS)
MAX_DOCS_BYTES = 64 * 1024
MAX_SCHEMA_BYTES = 256 * 1024


def read_options(message: pb.Options, path: str) -> Options:
    """NO_OPTIONS itself where nothing is said."""
    said = message.ListFields()
    if not said:
        return NO_OPTIONS
    values: dict[str, Any] = {field.name: _checked(value, f"{path}.{field.name}") for field, value in said}
    return Options(**values)


def _checked(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput.at(path, "out_of_range", f"{value} is not a number that can be used")
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        raise InvalidInput.at(path, "out_of_range", f"{value} is out of every range")
    if isinstance(value, (str, int, float)):
        return value
    return tuple(value)


def write_options(options: Options, message: pb.Options, path: str) -> None:
    """InvalidInput, with the option's name after `path`, for a value of the wrong type or out of the wire's range."""
    message.SetInParent()
    for name in _SCALARS:
        if (value := getattr(options, name)) is not None:
            try:
                setattr(message, name, value)
            except (TypeError, ValueError) as error:
                why = "it must be 0 or more" if isinstance(value, int) and -1000 < value < 0 else error
                raise InvalidInput.at(_under(path, name), "out_of_range", f"{value!r} cannot be sent: {why}") from error
    for name in _LISTS:
        if value := getattr(options, name):
            try:
                getattr(message, name).extend(value)
            except (TypeError, ValueError) as error:
                raise InvalidInput.at(_under(path, name), "invalid_list", f"a list of names: {error}") from error


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def read_method(message: pb.Method, path: str) -> Method:
    """Raises InvalidInput for a bad name, and for docs or a schema that are too long."""
    if "@" in message.name:
        raise InvalidInput.at(f"{path}.name", "invalid_name", "'@' stands before a version, and cannot be in a name")
    if sum(map(len, message.docs)) > MAX_DOCS_BYTES:
        raise InvalidInput.at(f"{path}.docs", "too_long", f"the docs are longer than {MAX_DOCS_BYTES} characters")
    if len(message.params_schema) > MAX_SCHEMA_BYTES:
        raise InvalidInput.at(f"{path}.params_schema", "too_long", f"the schema is over {MAX_SCHEMA_BYTES} bytes")
    return Method(
        check_name(message.name, f"{path}.name"),
        message.version or 1,
        tuple(message.docs),
        message.params_schema,
        read_options(message.defaults, f"{path}.defaults") if message.HasField("defaults") else NO_OPTIONS,
    )


def write_method(method: Method, message: pb.Method, workers: int = 0) -> None:
    """`workers`: in answers, how many live workers offer it."""
    try:
        message.name = method.name
        message.version = method.version
        message.docs.extend(method.docs)
        message.params_schema = method.params_schema
        message.workers = workers
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the method {method.name!r} cannot be sent: {error}", code="invalid_method") from error
    if method.defaults is not NO_OPTIONS:
        write_options(method.defaults, message.defaults, f"{method.name}.defaults")
