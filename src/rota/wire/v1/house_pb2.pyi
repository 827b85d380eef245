from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Filter(_message.Message):
    __slots__ = ("states", "method", "group", "worker", "created_after", "created_before", "label", "batch", "text")
    STATES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[str]
    method: str
    group: str
    worker: str
    created_after: int
    created_before: int
    label: str
    batch: str
    text: str
    def __init__(self, states: _Optional[_Iterable[str]] = ..., method: _Optional[str] = ..., group: _Optional[str] = ..., worker: _Optional[str] = ..., created_after: _Optional[int] = ..., created_before: _Optional[int] = ..., label: _Optional[str] = ..., batch: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Why(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("id", "state", "summary", "causes")
    class Cause(_message.Message):
        __slots__ = ("code", "message", "until", "by", "count")
        CODE_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        UNTIL_FIELD_NUMBER: _ClassVar[int]
        BY_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        code: str
        message: str
        until: int
        by: _containers.RepeatedScalarFieldContainer[str]
        count: int
        def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., until: _Optional[int] = ..., by: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    state: str
    summary: str
    causes: _containers.RepeatedCompositeFieldContainer[Explanation.Cause]
    def __init__(self, id: _Optional[bytes] = ..., state: _Optional[str] = ..., summary: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[Explanation.Cause, _Mapping]]] = ...) -> None: ...

class Delete(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Bulk(_message.Message):
    __slots__ = ("action", "filter", "dry_run", "limit")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    action: str
    filter: Filter
    dry_run: bool
    limit: int
    def __init__(self, action: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping]] = ..., dry_run: bool = ..., limit: _Optional[int] = ...) -> None: ...

class Bulked(_message.Message):
    __slots__ = ("action", "matched", "done", "refused", "sample", "more")
    class RefusedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    action: str
    matched: int
    done: int
    refused: _containers.ScalarMap[str, int]
    sample: _containers.RepeatedScalarFieldContainer[bytes]
    more: bool
    def __init__(self, action: _Optional[str] = ..., matched: _Optional[int] = ..., done: _Optional[int] = ..., refused: _Optional[_Mapping[str, int]] = ..., sample: _Optional[_Iterable[bytes]] = ..., more: bool = ...) -> None: ...

class ReadBatch(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("name", "tasks", "created_at")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    tasks: _containers.ScalarMap[str, int]
    created_at: int
    def __init__(self, name: _Optional[str] = ..., tasks: _Optional[_Mapping[str, int]] = ..., created_at: _Optional[int] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("count", "period")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    count: int
    period: int
    def __init__(self, count: _Optional[int] = ..., period: _Optional[int] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("scope", "name", "paused", "note", "concurrency", "rate", "key_rate", "changed_at", "changed_by", "max_queued")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    KEY_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    scope: str
    name: str
    paused: bool
    note: str
    concurrency: int
    rate: Rate
    key_rate: Rate
    changed_at: int
    changed_by: str
    max_queued: int
    def __init__(self, scope: _Optional[str] = ..., name: _Optional[str] = ..., paused: bool = ..., note: _Optional[str] = ..., concurrency: _Optional[int] = ..., rate: _Optional[_Union[Rate, _Mapping]] = ..., key_rate: _Optional[_Union[Rate, _Mapping]] = ..., changed_at: _Optional[int] = ..., changed_by: _Optional[str] = ..., max_queued: _Optional[int] = ...) -> None: ...

class ListControls(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Controls(_message.Message):
    __slots__ = ("controls",)
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    controls: _containers.RepeatedCompositeFieldContainer[Control]
    def __init__(self, controls: _Optional[_Iterable[_Union[Control, _Mapping]]] = ...) -> None: ...

class SetControl(_message.Message):
    __slots__ = ("scope", "name", "paused", "note", "concurrency", "rate", "key_rate", "max_queued")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    KEY_RATE_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    scope: str
    name: str
    paused: bool
    note: str
    concurrency: int
    rate: Rate
    key_rate: Rate
    max_queued: int
    def __init__(self, scope: _Optional[str] = ..., name: _Optional[str] = ..., paused: bool = ..., note: _Optional[str] = ..., concurrency: _Optional[int] = ..., rate: _Optional[_Union[Rate, _Mapping]] = ..., key_rate: _Optional[_Union[Rate, _Mapping]] = ..., max_queued: _Optional[int] = ...) -> None: ...

class ListGroups(_message.Message):
    __slots__ = ("limit", "cursor")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    limit: int
    cursor: str
    def __init__(self, limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class Groups(_message.Message):
    __slots__ = ("groups", "cursor")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    cursor: str
    def __init__(self, groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("name", "tasks", "methods", "workers", "slots", "busy", "control", "submit_rate", "finish_rate")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MethodsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_RATE_FIELD_NUMBER: _ClassVar[int]
    FINISH_RATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    tasks: _containers.ScalarMap[str, int]
    methods: _containers.ScalarMap[str, int]
    workers: int
    slots: int
    busy: int
    control: Control
    submit_rate: float
    finish_rate: float
    def __init__(self, name: _Optional[str] = ..., tasks: _Optional[_Mapping[str, int]] = ..., methods: _Optional[_Mapping[str, int]] = ..., workers: _Optional[int] = ..., slots: _Optional[int] = ..., busy: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ..., submit_rate: _Optional[float] = ..., finish_rate: _Optional[float] = ...) -> None: ...

class WorkerCommand(_message.Message):
    __slots__ = ("worker", "command", "note")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    worker: str
    command: str
    note: str
    def __init__(self, worker: _Optional[str] = ..., command: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ReadSeries(_message.Message):
    __slots__ = ("since", "step")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    since: int
    step: int
    def __init__(self, since: _Optional[int] = ..., step: _Optional[int] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("at", "step", "submitted", "finished", "failed", "rescued", "ready", "running", "scheduled", "waiting", "workers", "wait_p50", "wait_p99", "run_p50", "run_p99")
    AT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    RESCUED_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WAIT_P50_FIELD_NUMBER: _ClassVar[int]
    WAIT_P99_FIELD_NUMBER: _ClassVar[int]
    RUN_P50_FIELD_NUMBER: _ClassVar[int]
    RUN_P99_FIELD_NUMBER: _ClassVar[int]
    at: int
    step: int
    submitted: int
    finished: int
    failed: int
    rescued: int
    ready: int
    running: int
    scheduled: int
    waiting: int
    workers: int
    wait_p50: int
    wait_p99: int
    run_p50: int
    run_p99: int
    def __init__(self, at: _Optional[int] = ..., step: _Optional[int] = ..., submitted: _Optional[int] = ..., finished: _Optional[int] = ..., failed: _Optional[int] = ..., rescued: _Optional[int] = ..., ready: _Optional[int] = ..., running: _Optional[int] = ..., scheduled: _Optional[int] = ..., waiting: _Optional[int] = ..., workers: _Optional[int] = ..., wait_p50: _Optional[int] = ..., wait_p99: _Optional[int] = ..., run_p50: _Optional[int] = ..., run_p99: _Optional[int] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("kid", "name", "roles", "groups", "every_group", "created_at", "created_by", "expires_at", "last_used_at", "revoked_at")
    KID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    EVERY_GROUP_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    kid: str
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    groups: _containers.RepeatedScalarFieldContainer[str]
    every_group: bool
    created_at: int
    created_by: str
    expires_at: int
    last_used_at: int
    revoked_at: int
    def __init__(self, kid: _Optional[str] = ..., name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[str]] = ..., every_group: bool = ..., created_at: _Optional[int] = ..., created_by: _Optional[str] = ..., expires_at: _Optional[int] = ..., last_used_at: _Optional[int] = ..., revoked_at: _Optional[int] = ...) -> None: ...

class ListTokens(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class CreateToken(_message.Message):
    __slots__ = ("name", "roles", "groups", "expires_in")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    groups: _containers.RepeatedScalarFieldContainer[str]
    expires_in: int
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[str]] = ..., expires_in: _Optional[int] = ...) -> None: ...

class RotateToken(_message.Message):
    __slots__ = ("kid",)
    KID_FIELD_NUMBER: _ClassVar[int]
    kid: str
    def __init__(self, kid: _Optional[str] = ...) -> None: ...

class NewToken(_message.Message):
    __slots__ = ("token", "secret", "notice")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    token: Token
    secret: str
    notice: str
    def __init__(self, token: _Optional[_Union[Token, _Mapping]] = ..., secret: _Optional[str] = ..., notice: _Optional[str] = ...) -> None: ...

class RevokeToken(_message.Message):
    __slots__ = ("kid",)
    KID_FIELD_NUMBER: _ClassVar[int]
    kid: str
    def __init__(self, kid: _Optional[str] = ...) -> None: ...

class ReadAudit(_message.Message):
    __slots__ = ("who", "action", "since", "until", "limit", "before")
    WHO_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    who: str
    action: str
    since: int
    until: int
    limit: int
    before: int
    def __init__(self, who: _Optional[str] = ..., action: _Optional[str] = ..., since: _Optional[int] = ..., until: _Optional[int] = ..., limit: _Optional[int] = ..., before: _Optional[int] = ...) -> None: ...

class AuditLines(_message.Message):
    __slots__ = ("lines", "next")
    LINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[AuditLine]
    next: int
    def __init__(self, lines: _Optional[_Iterable[_Union[AuditLine, _Mapping]]] = ..., next: _Optional[int] = ...) -> None: ...

class AuditLine(_message.Message):
    __slots__ = ("number", "at", "who", "kid", "source", "door", "action", "object", "outcome", "request_id", "before", "after")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    KID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DOOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    number: int
    at: int
    who: str
    kid: str
    source: str
    door: str
    action: str
    object: str
    outcome: str
    request_id: str
    before: str
    after: str
    def __init__(self, number: _Optional[int] = ..., at: _Optional[int] = ..., who: _Optional[str] = ..., kid: _Optional[str] = ..., source: _Optional[str] = ..., door: _Optional[str] = ..., action: _Optional[str] = ..., object: _Optional[str] = ..., outcome: _Optional[str] = ..., request_id: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...
