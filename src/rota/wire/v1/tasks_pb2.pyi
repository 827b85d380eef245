from rota.wire.v1 import house_pb2 as _house_pb2
from rota.wire.v1 import link_pb2 as _link_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Execute(_message.Message):
    __slots__ = ("tasks", "atomic", "wait_timeout")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ATOMIC_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_link_pb2.NewTask]
    atomic: bool
    wait_timeout: int
    def __init__(self, tasks: _Optional[_Iterable[_Union[_link_pb2.NewTask, _Mapping]]] = ..., atomic: bool = ..., wait_timeout: _Optional[int] = ...) -> None: ...

class Executed(_message.Message):
    __slots__ = ("items",)
    class Item(_message.Message):
        __slots__ = ("id", "outcome", "refusal", "warning", "left_off")
        ID_FIELD_NUMBER: _ClassVar[int]
        OUTCOME_FIELD_NUMBER: _ClassVar[int]
        REFUSAL_FIELD_NUMBER: _ClassVar[int]
        WARNING_FIELD_NUMBER: _ClassVar[int]
        LEFT_OFF_FIELD_NUMBER: _ClassVar[int]
        id: bytes
        outcome: _link_pb2.Ended.Outcome
        refusal: _link_pb2.Failure
        warning: str
        left_off: bool
        def __init__(self, id: _Optional[bytes] = ..., outcome: _Optional[_Union[_link_pb2.Ended.Outcome, _Mapping]] = ..., refusal: _Optional[_Union[_link_pb2.Failure, _Mapping]] = ..., warning: _Optional[str] = ..., left_off: bool = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Executed.Item]
    def __init__(self, items: _Optional[_Iterable[_Union[Executed.Item, _Mapping]]] = ...) -> None: ...
