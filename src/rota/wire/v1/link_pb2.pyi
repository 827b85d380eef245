from rota.wire.v1 import house_pb2 as _house_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    SUCCEEDED: _ClassVar[Verdict]
    RAISED: _ClassVar[Verdict]
    TIMED_OUT: _ClassVar[Verdict]
    RETRY: _ClassVar[Verdict]
    STOPPED: _ClassVar[Verdict]
    CANCELLED: _ClassVar[Verdict]
    INVALID_PARAMS: _ClassVar[Verdict]
    RESULT_TOO_LARGE: _ClassVar[Verdict]
    ABANDONED_TIMED_OUT: _ClassVar[Verdict]
    ABANDONED_STOPPED: _ClassVar[Verdict]
    CRASHED: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
SUCCEEDED: Verdict
RAISED: Verdict
TIMED_OUT: Verdict
RETRY: Verdict
STOPPED: Verdict
CANCELLED: Verdict
INVALID_PARAMS: Verdict
RESULT_TOO_LARGE: Verdict
ABANDONED_TIMED_OUT: Verdict
ABANDONED_STOPPED: Verdict
CRASHED: Verdict

class Frame(_message.Message):
    __slots__ = ("credit", "request", "hello", "welcome", "ping", "goodbye", "failure", "done", "submit", "submitted", "get", "list", "tasks", "wait", "ended", "cancel", "retry", "outcomes", "read_logs", "logs", "read_stats", "stats", "list_workers", "workers", "list_methods", "methods", "unwait", "delete", "why", "explanation", "bulk", "bulked", "read_batch", "batch", "register", "started", "finish", "release", "heartbeat", "report", "registered", "assign", "stop", "recall", "drain", "finished", "shut_down", "list_groups", "groups", "list_controls", "controls", "set_control", "control", "worker_command", "read_series", "series", "list_tokens", "tokens", "create_token", "rotate_token", "new_token", "revoke_token", "token", "read_audit", "audit_lines")
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    READ_LOGS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    READ_STATS_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    LIST_WORKERS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    LIST_METHODS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    UNWAIT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    BULK_FIELD_NUMBER: _ClassVar[int]
    BULKED_FIELD_NUMBER: _ClassVar[int]
    READ_BATCH_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    SHUT_DOWN_FIELD_NUMBER: _ClassVar[int]
    LIST_GROUPS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    LIST_CONTROLS_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    SET_CONTROL_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    WORKER_COMMAND_FIELD_NUMBER: _ClassVar[int]
    READ_SERIES_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    LIST_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROTATE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    READ_AUDIT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_LINES_FIELD_NUMBER: _ClassVar[int]
    credit: int
    request: int
    hello: Hello
    welcome: Welcome
    ping: Ping
    goodbye: Goodbye
    failure: Failure
    done: Done
    submit: Submit
    submitted: Submitted
    get: Get
    list: List
    tasks: TaskPage
    wait: Wait
    ended: Ended
    cancel: Cancel
    retry: Retry
    outcomes: Outcomes
    read_logs: ReadLogs
    logs: Logs
    read_stats: ReadStats
    stats: Stats
    list_workers: ListWorkers
    workers: WorkerList
    list_methods: ListMethods
    methods: Methods
    unwait: Unwait
    delete: _house_pb2.Delete
    why: _house_pb2.Why
    explanation: _house_pb2.Explanation
    bulk: _house_pb2.Bulk
    bulked: _house_pb2.Bulked
    read_batch: _house_pb2.ReadBatch
    batch: _house_pb2.Batch
    register: Register
    started: Started
    finish: Finish
    release: Release
    heartbeat: Heartbeat
    report: Report
    registered: Registered
    assign: Assign
    stop: Stop
    recall: Recall
    drain: Drain
    finished: Finished
    shut_down: ShutDown
    list_groups: _house_pb2.ListGroups
    groups: _house_pb2.Groups
    list_controls: _house_pb2.ListControls
    controls: _house_pb2.Controls
    set_control: _house_pb2.SetControl
    control: _house_pb2.Control
    worker_command: _house_pb2.WorkerCommand
    read_series: _house_pb2.ReadSeries
    series: _house_pb2.Series
    list_tokens: _house_pb2.ListTokens
    tokens: _house_pb2.Tokens
    create_token: _house_pb2.CreateToken
    rotate_token: _house_pb2.RotateToken
    new_token: _house_pb2.NewToken
    revoke_token: _house_pb2.RevokeToken
    token: _house_pb2.Token
    read_audit: _house_pb2.ReadAudit
    audit_lines: _house_pb2.AuditLines
    def __init__(self, credit: _Optional[int] = ..., request: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., submit: _Optional[_Union[Submit, _Mapping]] = ..., submitted: _Optional[_Union[Submitted, _Mapping]] = ..., get: _Optional[_Union[Get, _Mapping]] = ..., list: _Optional[_Union[List, _Mapping]] = ..., tasks: _Optional[_Union[TaskPage, _Mapping]] = ..., wait: _Optional[_Union[Wait, _Mapping]] = ..., ended: _Optional[_Union[Ended, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., outcomes: _Optional[_Union[Outcomes, _Mapping]] = ..., read_logs: _Optional[_Union[ReadLogs, _Mapping]] = ..., logs: _Optional[_Union[Logs, _Mapping]] = ..., read_stats: _Optional[_Union[ReadStats, _Mapping]] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., list_workers: _Optional[_Union[ListWorkers, _Mapping]] = ..., workers: _Optional[_Union[WorkerList, _Mapping]] = ..., list_methods: _Optional[_Union[ListMethods, _Mapping]] = ..., methods: _Optional[_Union[Methods, _Mapping]] = ..., unwait: _Optional[_Union[Unwait, _Mapping]] = ..., delete: _Optional[_Union[_house_pb2.Delete, _Mapping]] = ..., why: _Optional[_Union[_house_pb2.Why, _Mapping]] = ..., explanation: _Optional[_Union[_house_pb2.Explanation, _Mapping]] = ..., bulk: _Optional[_Union[_house_pb2.Bulk, _Mapping]] = ..., bulked: _Optional[_Union[_house_pb2.Bulked, _Mapping]] = ..., read_batch: _Optional[_Union[_house_pb2.ReadBatch, _Mapping]] = ..., batch: _Optional[_Union[_house_pb2.Batch, _Mapping]] = ..., register: _Optional[_Union[Register, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., registered: _Optional[_Union[Registered, _Mapping]] = ..., assign: _Optional[_Union[Assign, _Mapping]] = ..., stop: _Optional[_Union[Stop, _Mapping]] = ..., recall: _Optional[_Union[Recall, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., shut_down: _Optional[_Union[ShutDown, _Mapping]] = ..., list_groups: _Optional[_Union[_house_pb2.ListGroups, _Mapping]] = ..., groups: _Optional[_Union[_house_pb2.Groups, _Mapping]] = ..., list_controls: _Optional[_Union[_house_pb2.ListControls, _Mapping]] = ..., controls: _Optional[_Union[_house_pb2.Controls, _Mapping]] = ..., set_control: _Optional[_Union[_house_pb2.SetControl, _Mapping]] = ..., control: _Optional[_Union[_house_pb2.Control, _Mapping]] = ..., worker_command: _Optional[_Union[_house_pb2.WorkerCommand, _Mapping]] = ..., read_series: _Optional[_Union[_house_pb2.ReadSeries, _Mapping]] = ..., series: _Optional[_Union[_house_pb2.Series, _Mapping]] = ..., list_tokens: _Optional[_Union[_house_pb2.ListTokens, _Mapping]] = ..., tokens: _Optional[_Union[_house_pb2.Tokens, _Mapping]] = ..., create_token: _Optional[_Union[_house_pb2.CreateToken, _Mapping]] = ..., rotate_token: _Optional[_Union[_house_pb2.RotateToken, _Mapping]] = ..., new_token: _Optional[_Union[_house_pb2.NewToken, _Mapping]] = ..., revoke_token: _Optional[_Union[_house_pb2.RevokeToken, _Mapping]] = ..., token: _Optional[_Union[_house_pb2.Token, _Mapping]] = ..., read_audit: _Optional[_Union[_house_pb2.ReadAudit, _Mapping]] = ..., audit_lines: _Optional[_Union[_house_pb2.AuditLines, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("versions", "token", "sdk", "window")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedScalarFieldContainer[int]
    token: str
    sdk: str
    window: int
    def __init__(self, versions: _Optional[_Iterable[int]] = ..., token: _Optional[str] = ..., sdk: _Optional[str] = ..., window: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("version", "node_id", "node_version", "heartbeat", "window", "max_frame", "max_batch", "max_payload", "now", "roles", "lease_ttl", "closed_lease_ttl")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    MAX_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LEASE_TTL_FIELD_NUMBER: _ClassVar[int]
    CLOSED_LEASE_TTL_FIELD_NUMBER: _ClassVar[int]
    version: int
    node_id: str
    node_version: str
    heartbeat: int
    window: int
    max_frame: int
    max_batch: int
    max_payload: int
    now: int
    roles: _containers.RepeatedScalarFieldContainer[str]
    lease_ttl: int
    closed_lease_ttl: int
    def __init__(self, version: _Optional[int] = ..., node_id: _Optional[str] = ..., node_version: _Optional[str] = ..., heartbeat: _Optional[int] = ..., window: _Optional[int] = ..., max_frame: _Optional[int] = ..., max_batch: _Optional[int] = ..., max_payload: _Optional[int] = ..., now: _Optional[int] = ..., roles: _Optional[_Iterable[str]] = ..., lease_ttl: _Optional[int] = ..., closed_lease_ttl: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("path", "code", "message")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    code: str
    message: str
    def __init__(self, path: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "detail", "errors", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: str
    detail: str
    errors: _containers.RepeatedCompositeFieldContainer[Fault]
    retry_after: int
    def __init__(self, code: _Optional[str] = ..., detail: _Optional[str] = ..., errors: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ..., retry_after: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Options(_message.Message):
    __slots__ = ("group", "priority", "retries", "retry_delay", "retry_backoff", "retry_max_delay", "retry_jitter", "retry_on", "give_up_on", "timeout", "expires", "delay", "run_at", "result_ttl", "unique_key", "order_key", "unique_mode", "debounce", "concurrency_key", "concurrency_limit")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    RETRY_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    RETRY_MAX_DELAY_FIELD_NUMBER: _ClassVar[int]
    RETRY_JITTER_FIELD_NUMBER: _ClassVar[int]
    RETRY_ON_FIELD_NUMBER: _ClassVar[int]
    GIVE_UP_ON_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    RUN_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_TTL_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    ORDER_KEY_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_MODE_FIELD_NUMBER: _ClassVar[int]
    DEBOUNCE_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    group: str
    priority: int
    retries: int
    retry_delay: int
    retry_backoff: float
    retry_max_delay: int
    retry_jitter: float
    retry_on: _containers.RepeatedScalarFieldContainer[str]
    give_up_on: _containers.RepeatedScalarFieldContainer[str]
    timeout: int
    expires: int
    delay: int
    run_at: int
    result_ttl: int
    unique_key: str
    order_key: str
    unique_mode: str
    debounce: int
    concurrency_key: str
    concurrency_limit: int
    def __init__(self, group: _Optional[str] = ..., priority: _Optional[int] = ..., retries: _Optional[int] = ..., retry_delay: _Optional[int] = ..., retry_backoff: _Optional[float] = ..., retry_max_delay: _Optional[int] = ..., retry_jitter: _Optional[float] = ..., retry_on: _Optional[_Iterable[str]] = ..., give_up_on: _Optional[_Iterable[str]] = ..., timeout: _Optional[int] = ..., expires: _Optional[int] = ..., delay: _Optional[int] = ..., run_at: _Optional[int] = ..., result_ttl: _Optional[int] = ..., unique_key: _Optional[str] = ..., order_key: _Optional[str] = ..., unique_mode: _Optional[str] = ..., debounce: _Optional[int] = ..., concurrency_key: _Optional[str] = ..., concurrency_limit: _Optional[int] = ...) -> None: ...

class NewTask(_message.Message):
    __slots__ = ("id", "method", "params", "options", "idempotency_key", "version", "labels", "target", "after", "on_parent_failure", "batch", "trace")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ON_PARENT_FAILURE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    method: str
    params: bytes
    options: Options
    idempotency_key: str
    version: int
    labels: _containers.ScalarMap[str, str]
    target: str
    after: _containers.RepeatedScalarFieldContainer[bytes]
    on_parent_failure: str
    batch: str
    trace: str
    def __init__(self, id: _Optional[bytes] = ..., method: _Optional[str] = ..., params: _Optional[bytes] = ..., options: _Optional[_Union[Options, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., version: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., target: _Optional[str] = ..., after: _Optional[_Iterable[bytes]] = ..., on_parent_failure: _Optional[str] = ..., batch: _Optional[str] = ..., trace: _Optional[str] = ...) -> None: ...

class Submit(_message.Message):
    __slots__ = ("tasks", "atomic", "wait")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ATOMIC_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[NewTask]
    atomic: bool
    wait: bool
    def __init__(self, tasks: _Optional[_Iterable[_Union[NewTask, _Mapping]]] = ..., atomic: bool = ..., wait: bool = ...) -> None: ...

class Submitted(_message.Message):
    __slots__ = ("exceptions", "ids")
    class Exception(_message.Message):
        __slots__ = ("index", "duplicate_of", "refusal", "warning")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        DUPLICATE_OF_FIELD_NUMBER: _ClassVar[int]
        REFUSAL_FIELD_NUMBER: _ClassVar[int]
        WARNING_FIELD_NUMBER: _ClassVar[int]
        index: int
        duplicate_of: bytes
        refusal: Failure
        warning: str
        def __init__(self, index: _Optional[int] = ..., duplicate_of: _Optional[bytes] = ..., refusal: _Optional[_Union[Failure, _Mapping]] = ..., warning: _Optional[str] = ...) -> None: ...
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    exceptions: _containers.RepeatedCompositeFieldContainer[Submitted.Exception]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, exceptions: _Optional[_Iterable[_Union[Submitted.Exception, _Mapping]]] = ..., ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Get(_message.Message):
    __slots__ = ("ids", "detail")
    IDS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    detail: bool
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ..., detail: bool = ...) -> None: ...

class List(_message.Message):
    __slots__ = ("states", "method", "group", "worker", "created_after", "created_before", "limit", "cursor", "label", "batch", "text")
    STATES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[str]
    method: str
    group: str
    worker: str
    created_after: int
    created_before: int
    limit: int
    cursor: str
    label: str
    batch: str
    text: str
    def __init__(self, states: _Optional[_Iterable[str]] = ..., method: _Optional[str] = ..., group: _Optional[str] = ..., worker: _Optional[str] = ..., created_after: _Optional[int] = ..., created_before: _Optional[int] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ..., label: _Optional[str] = ..., batch: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class TaskPage(_message.Message):
    __slots__ = ("tasks", "cursor")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    cursor: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("types", "message", "traceback")
    TYPES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    message: str
    traceback: str
    def __init__(self, types: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("attempt", "worker", "claimed_at", "started_at", "ended_at", "reason", "error", "late")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    worker: str
    claimed_at: int
    started_at: int
    ended_at: int
    reason: str
    error: Error
    late: str
    def __init__(self, attempt: _Optional[int] = ..., worker: _Optional[str] = ..., claimed_at: _Optional[int] = ..., started_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., reason: _Optional[str] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., late: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("share", "note", "at", "attempt")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    share: float
    note: str
    at: int
    attempt: int
    def __init__(self, share: _Optional[float] = ..., note: _Optional[str] = ..., at: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "method", "version", "group", "target", "state", "reason", "priority", "attempt", "failures", "rescues", "retries", "created_at", "due_at", "claimed_at", "started_at", "ended_at", "worker", "params", "result", "error", "labels", "unique_key", "order_key", "timeout", "expire_at", "attempts", "progress", "seq", "after", "on_parent_failure", "batch", "concurrency_key", "concurrency_limit", "unique_mode")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    RESCUES_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    ORDER_KEY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ON_PARENT_FAILURE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_MODE_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    method: str
    version: int
    group: str
    target: str
    state: str
    reason: str
    priority: int
    attempt: int
    failures: int
    rescues: int
    retries: int
    created_at: int
    due_at: int
    claimed_at: int
    started_at: int
    ended_at: int
    worker: str
    params: bytes
    result: bytes
    error: Error
    labels: _containers.ScalarMap[str, str]
    unique_key: str
    order_key: str
    timeout: int
    expire_at: int
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    progress: Progress
    seq: int
    after: _containers.RepeatedScalarFieldContainer[bytes]
    on_parent_failure: str
    batch: str
    concurrency_key: str
    concurrency_limit: int
    unique_mode: str
    def __init__(self, id: _Optional[bytes] = ..., method: _Optional[str] = ..., version: _Optional[int] = ..., group: _Optional[str] = ..., target: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., priority: _Optional[int] = ..., attempt: _Optional[int] = ..., failures: _Optional[int] = ..., rescues: _Optional[int] = ..., retries: _Optional[int] = ..., created_at: _Optional[int] = ..., due_at: _Optional[int] = ..., claimed_at: _Optional[int] = ..., started_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., worker: _Optional[str] = ..., params: _Optional[bytes] = ..., result: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., unique_key: _Optional[str] = ..., order_key: _Optional[str] = ..., timeout: _Optional[int] = ..., expire_at: _Optional[int] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., seq: _Optional[int] = ..., after: _Optional[_Iterable[bytes]] = ..., on_parent_failure: _Optional[str] = ..., batch: _Optional[str] = ..., concurrency_key: _Optional[str] = ..., concurrency_limit: _Optional[int] = ..., unique_mode: _Optional[str] = ...) -> None: ...

class Wait(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Unwait(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("outcomes",)
    class Outcome(_message.Message):
        __slots__ = ("id", "state", "reason", "result", "error", "attempt")
        ID_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        RESULT_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        ATTEMPT_FIELD_NUMBER: _ClassVar[int]
        id: bytes
        state: str
        reason: str
        result: bytes
        error: Error
        attempt: int
        def __init__(self, id: _Optional[bytes] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., result: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[Ended.Outcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Ended.Outcome, _Mapping]]] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("ids", "reason")
    IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    reason: str
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ..., reason: _Optional[str] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Outcomes(_message.Message):
    __slots__ = ("items",)
    class Item(_message.Message):
        __slots__ = ("id", "state", "pending", "refusal")
        ID_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        PENDING_FIELD_NUMBER: _ClassVar[int]
        REFUSAL_FIELD_NUMBER: _ClassVar[int]
        id: bytes
        state: str
        pending: bool
        refusal: Failure
        def __init__(self, id: _Optional[bytes] = ..., state: _Optional[str] = ..., pending: bool = ..., refusal: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Outcomes.Item]
    def __init__(self, items: _Optional[_Iterable[_Union[Outcomes.Item, _Mapping]]] = ...) -> None: ...

class ReadLogs(_message.Message):
    __slots__ = ("id", "after", "limit", "follow")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    after: int
    limit: int
    follow: bool
    def __init__(self, id: _Optional[bytes] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ..., follow: bool = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("number", "attempt", "at", "level", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    attempt: int
    at: int
    level: int
    text: str
    def __init__(self, number: _Optional[int] = ..., attempt: _Optional[int] = ..., at: _Optional[int] = ..., level: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class Logs(_message.Message):
    __slots__ = ("lines", "complete")
    LINES_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    complete: bool
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., complete: bool = ...) -> None: ...

class ReadStats(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Stats(_message.Message):
    __slots__ = ("node_id", "node_version", "mode", "store", "durability", "started_at", "now", "tasks", "workers", "clients", "submitted", "finished", "failed", "rescued", "pid", "memory_bytes", "submit_rate", "finish_rate", "data_dir")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    RESCUED_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_RATE_FIELD_NUMBER: _ClassVar[int]
    FINISH_RATE_FIELD_NUMBER: _ClassVar[int]
    DATA_DIR_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    node_version: str
    mode: str
    store: str
    durability: str
    started_at: int
    now: int
    tasks: _containers.ScalarMap[str, int]
    workers: int
    clients: int
    submitted: int
    finished: int
    failed: int
    rescued: int
    pid: int
    memory_bytes: int
    submit_rate: float
    finish_rate: float
    data_dir: str
    def __init__(self, node_id: _Optional[str] = ..., node_version: _Optional[str] = ..., mode: _Optional[str] = ..., store: _Optional[str] = ..., durability: _Optional[str] = ..., started_at: _Optional[int] = ..., now: _Optional[int] = ..., tasks: _Optional[_Mapping[str, int]] = ..., workers: _Optional[int] = ..., clients: _Optional[int] = ..., submitted: _Optional[int] = ..., finished: _Optional[int] = ..., failed: _Optional[int] = ..., rescued: _Optional[int] = ..., pid: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., submit_rate: _Optional[float] = ..., finish_rate: _Optional[float] = ..., data_dir: _Optional[str] = ...) -> None: ...

class ListWorkers(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: bool = ...) -> None: ...

class WorkerList(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerView]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerView, _Mapping]]] = ...) -> None: ...

class WorkerView(_message.Message):
    __slots__ = ("facts", "online", "registered_at", "seen_at", "gone_at", "gone_reason", "load", "in_hand", "running", "finished", "methods", "draining")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    GONE_AT_FIELD_NUMBER: _ClassVar[int]
    GONE_REASON_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    IN_HAND_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    facts: WorkerFacts
    online: bool
    registered_at: int
    seen_at: int
    gone_at: int
    gone_reason: str
    load: Load
    in_hand: int
    running: int
    finished: int
    methods: _containers.RepeatedScalarFieldContainer[str]
    draining: bool
    def __init__(self, facts: _Optional[_Union[WorkerFacts, _Mapping]] = ..., online: bool = ..., registered_at: _Optional[int] = ..., seen_at: _Optional[int] = ..., gone_at: _Optional[int] = ..., gone_reason: _Optional[str] = ..., load: _Optional[_Union[Load, _Mapping]] = ..., in_hand: _Optional[int] = ..., running: _Optional[int] = ..., finished: _Optional[int] = ..., methods: _Optional[_Iterable[str]] = ..., draining: bool = ...) -> None: ...

class ListMethods(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Methods(_message.Message):
    __slots__ = ("methods",)
    METHODS_FIELD_NUMBER: _ClassVar[int]
    methods: _containers.RepeatedCompositeFieldContainer[Method]
    def __init__(self, methods: _Optional[_Iterable[_Union[Method, _Mapping]]] = ...) -> None: ...

class Method(_message.Message):
    __slots__ = ("name", "version", "docs", "params_schema", "defaults", "workers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCS_FIELD_NUMBER: _ClassVar[int]
    PARAMS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    docs: _containers.RepeatedScalarFieldContainer[str]
    params_schema: bytes
    defaults: Options
    workers: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., docs: _Optional[_Iterable[str]] = ..., params_schema: _Optional[bytes] = ..., defaults: _Optional[_Union[Options, _Mapping]] = ..., workers: _Optional[int] = ...) -> None: ...

class WorkerFacts(_message.Message):
    __slots__ = ("id", "name", "application", "host", "ip", "pid", "os", "language", "sdk", "cpu_count", "memory_bytes", "weight", "labels", "groups", "slots")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    CPU_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    application: str
    host: str
    ip: str
    pid: int
    os: str
    language: str
    sdk: str
    cpu_count: int
    memory_bytes: int
    weight: int
    labels: _containers.ScalarMap[str, str]
    groups: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., application: _Optional[str] = ..., host: _Optional[str] = ..., ip: _Optional[str] = ..., pid: _Optional[int] = ..., os: _Optional[str] = ..., language: _Optional[str] = ..., sdk: _Optional[str] = ..., cpu_count: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., weight: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., groups: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("cpu", "memory_bytes", "network_in", "network_out", "disk_used_bytes", "disk_total_bytes")
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    NETWORK_IN_FIELD_NUMBER: _ClassVar[int]
    NETWORK_OUT_FIELD_NUMBER: _ClassVar[int]
    DISK_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu: float
    memory_bytes: int
    network_in: float
    network_out: float
    disk_used_bytes: int
    disk_total_bytes: int
    def __init__(self, cpu: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., network_in: _Optional[float] = ..., network_out: _Optional[float] = ..., disk_used_bytes: _Optional[int] = ..., disk_total_bytes: _Optional[int] = ...) -> None: ...

class Ref(_message.Message):
    __slots__ = ("id", "attempt")
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    attempt: int
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ...) -> None: ...

class HeldRef(_message.Message):
    __slots__ = ("id", "attempt", "started_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    attempt: int
    started_at: int
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., started_at: _Optional[int] = ...) -> None: ...

class Register(_message.Message):
    __slots__ = ("facts", "methods", "held", "session_key", "draining")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    facts: WorkerFacts
    methods: _containers.RepeatedCompositeFieldContainer[Method]
    held: _containers.RepeatedCompositeFieldContainer[HeldRef]
    session_key: bytes
    draining: bool
    def __init__(self, facts: _Optional[_Union[WorkerFacts, _Mapping]] = ..., methods: _Optional[_Iterable[_Union[Method, _Mapping]]] = ..., held: _Optional[_Iterable[_Union[HeldRef, _Mapping]]] = ..., session_key: _Optional[bytes] = ..., draining: bool = ...) -> None: ...

class Registered(_message.Message):
    __slots__ = ("lost",)
    LOST_FIELD_NUMBER: _ClassVar[int]
    lost: _containers.RepeatedCompositeFieldContainer[Ref]
    def __init__(self, lost: _Optional[_Iterable[_Union[Ref, _Mapping]]] = ...) -> None: ...

class Assign(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Assignment]
    def __init__(self, tasks: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("id", "attempt", "method", "version", "params", "timeout", "announce", "created_at", "fire_at", "failures", "retries", "group", "labels", "trace", "after", "batch")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    attempt: int
    method: str
    version: int
    params: bytes
    timeout: int
    announce: bool
    created_at: int
    fire_at: int
    failures: int
    retries: int
    group: str
    labels: _containers.ScalarMap[str, str]
    trace: str
    after: _containers.RepeatedScalarFieldContainer[bytes]
    batch: str
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., method: _Optional[str] = ..., version: _Optional[int] = ..., params: _Optional[bytes] = ..., timeout: _Optional[int] = ..., announce: bool = ..., created_at: _Optional[int] = ..., fire_at: _Optional[int] = ..., failures: _Optional[int] = ..., retries: _Optional[int] = ..., group: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., trace: _Optional[str] = ..., after: _Optional[_Iterable[bytes]] = ..., batch: _Optional[str] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[HeldRef]
    def __init__(self, tasks: _Optional[_Iterable[_Union[HeldRef, _Mapping]]] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("id", "attempt", "verdict", "result", "error", "started_at", "ran", "retry_after")
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    RAN_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    attempt: int
    verdict: Verdict
    result: bytes
    error: Error
    started_at: int
    ran: int
    retry_after: int
    def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., result: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., started_at: _Optional[int] = ..., ran: _Optional[int] = ..., retry_after: _Optional[int] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("refused",)
    class Refused(_message.Message):
        __slots__ = ("index", "code", "detail")
        INDEX_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        DETAIL_FIELD_NUMBER: _ClassVar[int]
        index: int
        code: str
        detail: str
        def __init__(self, index: _Optional[int] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    refused: _containers.RepeatedCompositeFieldContainer[Finished.Refused]
    def __init__(self, refused: _Optional[_Iterable[_Union[Finished.Refused, _Mapping]]] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("tasks", "reason")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Ref]
    reason: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[Ref, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("load",)
    LOAD_FIELD_NUMBER: _ClassVar[int]
    load: Load
    def __init__(self, load: _Optional[_Union[Load, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("entries",)
    class Entry(_message.Message):
        __slots__ = ("id", "attempt", "lines", "progress")
        ID_FIELD_NUMBER: _ClassVar[int]
        ATTEMPT_FIELD_NUMBER: _ClassVar[int]
        LINES_FIELD_NUMBER: _ClassVar[int]
        PROGRESS_FIELD_NUMBER: _ClassVar[int]
        id: bytes
        attempt: int
        lines: _containers.RepeatedCompositeFieldContainer[LogLine]
        progress: Progress
        def __init__(self, id: _Optional[bytes] = ..., attempt: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Report.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[Report.Entry, _Mapping]]] = ...) -> None: ...

class Stop(_message.Message):
    __slots__ = ("tasks", "reason")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Ref]
    reason: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[Ref, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class Recall(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("reconnect_to", "reason")
    RECONNECT_TO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    reconnect_to: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, reconnect_to: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class ShutDown(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...
