"""Answers about the house, read into views."""

from __future__ import annotations

from rota.client.answers import instant
from rota.client.house_views import (
    AuditView,
    BatchInfo,
    Bulk,
    CauseView,
    ControlView,
    GroupInfo,
    NewToken,
    PointView,
    RateView,
    TokenView,
    Why,
)
from rota.model.text import task_id_text
from rota.wire.v1 import house_pb2 as pb


def read_why(said: pb.Explanation) -> Why:
    causes = (
        CauseView(
            cause.code,
            cause.message,
            instant(cause.until),
            tuple(cause.by),
            cause.count if cause.HasField("count") else None,
        )
        for cause in said.causes
    )
    return Why(task_id_text(said.id), said.state, said.summary, tuple(causes))


def read_bulk(said: pb.Bulked) -> Bulk:
    sample = tuple(task_id_text(task_id) for task_id in said.sample)
    return Bulk(said.action, said.matched, said.done, dict(said.refused), sample, said.more)


def read_batch(said: pb.Batch) -> BatchInfo:
    return BatchInfo(said.name, dict(said.tasks), instant(said.created_at))


def read_control(said: pb.Control) -> ControlView:
    return ControlView(
        said.scope,
        said.name,
        said.paused,
        said.note,
        said.concurrency or None,
        _rate(said.rate) if said.HasField("rate") else None,
        _rate(said.key_rate) if said.HasField("key_rate") else None,
        instant(said.changed_at),
        said.changed_by,
        said.max_queued or None,
    )


def _rate(said: pb.Rate) -> RateView:
    return RateView(said.count, said.period / 1e6)


def read_group(said: pb.Group) -> GroupInfo:
    return GroupInfo(
        said.name,
        dict(said.tasks),
        dict(said.methods),
        said.workers,
        said.slots,
        said.busy,
        read_control(said.control) if said.HasField("control") else None,
        said.submit_rate,
        said.finish_rate,
    )


def read_point(said: pb.Point) -> PointView:
    return PointView(
        instant(said.at),
        said.step / 1e6,
        said.submitted,
        said.finished,
        said.failed,
        said.rescued,
        said.ready,
        said.running,
        said.scheduled,
        said.waiting,
        said.workers,
        said.wait_p50 / 1e6,
        said.wait_p99 / 1e6,
        said.run_p50 / 1e6,
        said.run_p99 / 1e6,
    )


def read_token(said: pb.Token) -> TokenView:
    return TokenView(
        said.kid,
        said.name,
        tuple(said.roles),
        None if said.every_group else tuple(said.groups),
        instant(said.created_at),
        said.created_by,
        instant(said.expires_at),
        instant(said.last_used_at),
        instant(said.revoked_at),
    )


def read_new_token(said: pb.NewToken) -> NewToken:
    return NewToken(said.secret, read_token(said.token), said.notice)


def read_audit_line(said: pb.AuditLine) -> AuditView:
    return AuditView(
        said.number,
        instant(said.at),
        said.who,
        said.kid,
        said.source,
        said.door,
        said.action,
        said.object,
        said.outcome,
        said.request_id,
        said.before,
        said.after,
    )
