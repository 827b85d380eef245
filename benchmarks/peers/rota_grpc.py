"""Rota from a stock gRPC client, with the messages of proto/: what a program in another language would do."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import grpc

from benchmarks.peers.protocol import Pair, aflown, atimed
from rota.wire.v1 import link_pb2, tasks_pb2


class RotaGrpc:
    packages = ("rota", "grpcio")

    def __init__(self) -> None:
        self._method = os.environ["BENCH_METHOD"]

    async def open(self) -> None:
        self._channel = grpc.aio.insecure_channel(os.environ["BENCH_GRPC"])
        self._submit = self._call("Submit", link_pb2.Submitted)
        self._execute = self._call("Execute", tasks_pb2.Executed)
        await self._channel.channel_ready()

    def _call(self, name: str, answer: Any) -> Any:
        return self._channel.unary_unary(
            f"/rota.v1.Tasks/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def _task(self, a: int, b: int) -> link_pb2.NewTask:
        return link_pb2.NewTask(method=self._method, params=json.dumps([a, b]).encode())

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[bytes]:
        frames = [pairs[first : first + 1_000] for first in range(0, len(pairs), 1_000)]
        answers = [await self._submit(link_pb2.Submit(tasks=[self._task(*pair) for pair in frame])) for frame in frames]
        return [task for answer in answers for task in answer.ids]

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[bytes]:
        return [await self._one(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[bytes]:
        return await aflown(pairs, flight, self._one)

    async def _one(self, a: int, b: int) -> bytes:
        return (await self._submit(link_pb2.Submit(tasks=[self._task(a, b)]))).ids[0]

    async def stored(self, handles: Sequence[bytes]) -> None:
        wait = self._channel.unary_stream(
            "/rota.v1.Tasks/Wait",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=link_pb2.Ended.FromString,
        )
        self._ended = {
            outcome.id: outcome async for ended in wait(link_pb2.Wait(ids=handles)) for outcome in ended.outcomes
        }

    async def results(self, handles: Sequence[bytes]) -> Sequence[Any]:
        return [json.loads(self._ended[task].result) for task in handles]

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        return await atimed(pairs, self._execute_one)

    async def _execute_one(self, a: int, b: int) -> Any:
        answer = await self._execute(tasks_pb2.Execute(tasks=[self._task(a, b)]))
        return json.loads(answer.items[0].outcome.result)

    async def close(self) -> None:
        await self._channel.close()
