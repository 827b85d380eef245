"""Server reflection: lets tools such as grpcurl ask what the door offers. Only what it offers is told, and what that needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import Default
from grpc_reflection.v1alpha import reflection_pb2 as pb

NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Both versions have the same messages on the wire."""
_INVALID, _NOT_FOUND = 3, 5


class Reflection:
    """`services`: full names of those that the door offers and whose schema is loaded."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted(services)
        pool = Default()
        files = [pool.FindServiceByName(name).file for name in self._services]
        self._files = {file.name: file for file in _with_needed(files)}

    def answer(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        response = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        if kind == "list_services":
            response.list_services_response.SetInParent()
            for name in self._services:
                response.list_services_response.service.add(name=name)
        elif kind == "file_by_filename":
            self._tell(self._files.get(request.file_by_filename), response)
        elif kind == "file_containing_symbol":
            self._tell(self._holding(request.file_containing_symbol), response)
        elif kind is None:
            _refuse(response, _INVALID, "the request asks nothing")
        else:
            _refuse(response, _NOT_FOUND, "nothing here has extensions")
        return response

    def _holding(self, symbol: str) -> FileDescriptor | None:
        with suppress(KeyError):
            return self._files.get(Default().FindFileContainingSymbol(symbol).name)
        return None

    def _tell(self, file: FileDescriptor | None, response: pb.ServerReflectionResponse) -> None:
        if file is None:
            _refuse(response, _NOT_FOUND, "this door does not offer that")
            return
        for needed in _with_needed([file]):
            response.file_descriptor_response.file_descriptor_proto.append(needed.serialized_pb)


def _with_needed(files: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    """Each file and all that it imports, once."""
    seen: set[str] = set()
    left = list(files)
    while left:
        file = left.pop()
        if file.name not in seen:
            seen.add(file.name)
            left.extend(file.dependencies)
            yield file


def _refuse(response: pb.ServerReflectionResponse, code: int, message: str) -> None:
    response.error_response.error_code = code
    response.error_response.error_message = message
