"""Groups, limits, causes, figures, tokens and lines of the audit log on their way: what is there arrives, what is not stays away."""

from typing import Any

import pytest

from rota.model.audit import AuditRecord
from rota.model.cause import Cause, Explanation
from rota.model.control import Control, Rate, Scope
from rota.model.errors import InvalidInput
from rota.model.group import GroupView
from rota.model.report import BulkOutcome
from rota.model.series import Point
from rota.model.task import State
from rota.model.token import TokenRecord
from rota.wire import codec_access, codec_house
from rota.wire.v1 import house_pb2 as pb

ID = bytes(range(16))


def test_an_explanation_keeps_the_order_of_its_causes_and_what_is_not_known_is_not_there() -> None:
    causes = (Cause("paused", "it is paused", by=("mail",)), Cause("queued_behind", "3 are before it", 9, count=0))
    message = pb.Explanation()
    codec_house.write_explanation(Explanation(ID, "ready", "it is paused", causes), message)
    assert (message.id, message.state, message.summary) == (ID, "ready", "it is paused")
    assert [(c.code, c.until, list(c.by), c.HasField("count")) for c in message.causes] == [
        ("paused", 0, ["mail"], False),
        ("queued_behind", 9, [], True),
    ]


def test_a_bulk_call_says_what_it_did() -> None:
    message = pb.Bulked()
    codec_house.write_bulked(BulkOutcome("retry", 5, 3, {"busy": 2}, (ID,), True), message)
    assert message == pb.Bulked(action="retry", matched=5, done=3, refused={"busy": 2}, sample=[ID], more=True)


def test_a_batch_names_the_states_that_it_has() -> None:
    message = pb.Batch()
    codec_house.write_batch("night", {State.READY: 2, State.FAILED: 0}, 7, message)
    assert message == pb.Batch(name="night", tasks={"ready": 2}, created_at=7)


def test_a_control_shows_the_limits_that_it_sets() -> None:
    message = pb.Control()
    codec_house.write_control(Control(Scope.GROUP, "mail", True, "why", 4, Rate(1, 2), None, 5, "me"), message)
    assert message == pb.Control(
        scope="group", name="mail", paused=True, note="why", concurrency=4, rate=pb.Rate(count=1, period=2),
        changed_at=5, changed_by="me",
    )  # fmt: skip
    assert not message.HasField("key_rate")


def test_a_group_without_a_control_has_none() -> None:
    message = pb.Group()
    codec_house.write_group(GroupView(None, {State.RUNNING: 1}, {"add": 2}, 3, 4, 1, None, 0.5, 0.25), message)
    assert message == pb.Group(
        tasks={"running": 1}, methods={"add": 2}, workers=3, slots=4, busy=1, submit_rate=0.5, finish_rate=0.25
    )
    codec_house.write_group(GroupView("g", control=Control(Scope.GROUP, "g", True)), other := pb.Group())
    assert other.control.paused


def test_scopes_and_rates_are_read_as_they_are() -> None:
    assert codec_house.read_scope("node", "") == (Scope.NODE, "")
    assert codec_house.read_scope("group", "") == (Scope.GROUP, "")
    assert codec_house.read_scope("method", "发邮件") == (Scope.METHOD, "发邮件")
    assert codec_house.read_rate(pb.Rate(count=3, period=4), "rate") == Rate(3, 4)
    assert codec_house.read_rate(pb.Rate(), "rate") is None


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (lambda: codec_house.read_scope("galaxy", ""), "scope"),
        (lambda: codec_house.read_scope("node", "x"), "name"),
        (lambda: codec_house.read_scope("method", ""), "name"),
        (lambda: codec_house.read_scope("group", "a\x00"), "name"),
        (lambda: codec_house.read_rate(pb.Rate(count=1), "rate"), "rate.period"),
        (lambda: codec_house.read_rate(pb.Rate(count=1, period=2**63), "key_rate"), "key_rate.period"),
    ],
)
def test_what_cannot_be_set_is_told_with_its_path(read: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read()
    assert refused.value.errors[0].path == path


def test_every_figure_of_a_point_travels() -> None:
    point = Point(*range(1, 16))
    message = pb.Point()
    codec_house.write_point(point, message)
    assert [value for _, value in message.ListFields()] == list(range(1, 16))
    assert [field.name for field, _ in message.ListFields()] == list(Point.__dataclass_fields__)


def test_a_token_shows_everything_but_its_digest() -> None:
    record = TokenRecord(
        "kid", "ci", b"\xaadigest", frozenset({"viewer", "client"}), frozenset({"b", "a"}), 1, "me", 2, 3, 4
    )
    message = pb.Token()
    codec_access.write_token(record, message)
    assert message == pb.Token(
        kid="kid", name="ci", roles=["client", "viewer"], groups=["a", "b"], created_at=1, created_by="me",
        expires_at=2, last_used_at=3, revoked_at=4,
    )  # fmt: skip
    assert b"digest" not in message.SerializeToString()


def test_no_group_at_all_is_another_thing_than_every_group() -> None:
    codec_access.write_token(TokenRecord("k", "n", b"", frozenset(), frozenset()), none := pb.Token())
    codec_access.write_token(TokenRecord("k", "n", b"", frozenset(), None), every := pb.Token())
    assert (none.every_group, every.every_group) == (False, True)


def test_a_line_of_the_audit_log_travels_whole() -> None:
    line = AuditRecord(1, "who", "kid", "::1", "link", "a.b", "object", "ok", "r1", "{}", '{"x":1}', 12)
    message = pb.AuditLine()
    codec_access.write_audit_line(line, message)
    assert {field.name: value for field, value in message.ListFields()} == {
        name: getattr(line, name) for name in AuditRecord.__dataclass_fields__
    }
