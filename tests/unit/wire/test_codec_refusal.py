"""Errors and their looks: one table, the same error on both sides."""

import ast
from pathlib import Path

import pytest

import rota
from rota.model import errors
from rota.model.errors import Conflict, Fault, InvalidInput, NotFound, RotaError, Unavailable
from rota.wire.codec_refusal import KINDS, look_of, read_refusal, write_refusal
from rota.wire.v1 import link_pb2 as pb

SRC = Path(rota.__file__).parent
FROM_NODE_ROOMS = ("model", "storage", "coordination", "engine", "observe", "access", "link", "wire", "transport")


def round_trip(error: Exception) -> RotaError:
    message = pb.Failure()
    write_refusal(error, message)
    return read_refusal(pb.Failure.FromString(message.SerializeToString()))


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_an_error_is_the_same_on_the_other_side(code: str, kind: type[RotaError]) -> None:
    error = round_trip(kind("because", code=code))
    assert (type(error), error.code, error.detail) == (kind, code, "because")


def test_wrong_places_travel() -> None:
    error = round_trip(InvalidInput.at("tasks[3].id", "brand_new_code", "too short"))
    assert isinstance(error, InvalidInput)
    assert error.code == "brand_new_code"
    assert error.errors == (Fault("tasks[3].id", "brand_new_code", "too short"),)


def test_a_code_of_a_newer_node_is_still_an_error_of_rota() -> None:
    error = read_refusal(pb.Failure(code="from_the_future", detail="x"))
    assert type(error) is RotaError
    assert error.code == "from_the_future"


def test_what_is_not_ours_tells_nothing_of_the_inside() -> None:
    message = pb.Failure()
    write_refusal(KeyError("/etc/secret"), message)
    assert message.code == "internal"
    assert "secret" not in message.detail


def test_what_may_be_tried_again_says_when() -> None:
    message = pb.Failure()
    write_refusal(Unavailable("away", code="store_unavailable"), message)
    assert message.retry_after == 1_000_000


@pytest.mark.parametrize(
    ("error", "http", "grpc"),
    [
        (InvalidInput("x"), 422, "INVALID_ARGUMENT"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (Conflict("x"), 409, "FAILED_PRECONDITION"),
        (errors.Overloaded("x"), 429, "RESOURCE_EXHAUSTED"),
        (errors.CannotConnect("x"), 503, "UNAVAILABLE"),
        (Unavailable("x", code="store_full"), 507, "UNAVAILABLE"),
        (errors.NotAuthenticated("x"), 401, "UNAUTHENTICATED"),
        (errors.Forbidden("x"), 403, "PERMISSION_DENIED"),
        (ValueError("x"), 500, "INTERNAL"),
    ],
)
def test_every_kind_has_its_status(error: Exception, http: int, grpc: str) -> None:
    look = look_of(error)
    assert (look.http, look.grpc) == (http, grpc)


def test_every_code_that_a_node_raises_is_in_the_table() -> None:
    """Without it the client would raise another class than the node did."""
    missing = {
        f"{path.relative_to(SRC)}: {kind}({code})"
        for room in FROM_NODE_ROOMS
        for path in (SRC / room).rglob("*.py")
        for kind, code in _codes_in(path)
        if KINDS.get(code) is not getattr(errors, kind)
    }
    assert not missing


def _codes_in(path: Path) -> list[tuple[str, str]]:
    """(class, code) of each error made with a code of its own, those of refusals to start and of wrong places left out."""
    kinds = {kind.__name__ for kind in KINDS.values()} - {"RefusesToStart"}
    return [
        (call.func.id, word.value.value)
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds
        for word in call.keywords
        if word.arg == "code" and isinstance(word.value, ast.Constant)
    ]
