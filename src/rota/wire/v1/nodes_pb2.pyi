from rota.wire.v1 import house_pb2 as _house_pb2
from rota.wire.v1 import link_pb2 as _link_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
