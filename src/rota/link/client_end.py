"""The client's end of the native link: requests, their answers, and waits, over however many links it takes. No I/O.

A request is kept until it is answered. When the link is lost, those that can be asked twice without harm are asked again
on the next one, in order; a submit is among them, since its tasks carry their ids. Of the others nobody can know whether
they were carried out: they are answered with `outcome_unknown`. Waits are told to the new node too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from rota.link.codes import LinkFault
from rota.model.errors import InvalidInput, Overloaded, RotaError, Unavailable
from rota.wire.v1.link_pb2 import Ended, Frame, Unwait, Wait

Answer = Callable[[Frame | RotaError], None]
"""Called with the answering frame (a Failure too), or with the error that stands for it."""
Told = Ended.Outcome | Frame | RotaError
"""The task's outcome, the Failure of the wait, or an error in their place."""
Watcher = Callable[[Told], None]
"""Called once."""

MOST_REQUESTS = 10_000
WAITS_A_FRAME = 1_000


class _Request:
    __slots__ = ("answer", "asked_at", "frame", "repeatable", "sent")

    def __init__(self, frame: Frame, answer: Answer, repeatable: bool, asked_at: float) -> None:
        self.frame, self.answer, self.repeatable, self.asked_at = frame, answer, repeatable, asked_at
        self.sent = False


class ClientEnd:
    """`send` queues a frame and answers whether there is a link; `up`, `down` and `received` say what the link does."""

    def __init__(self, send: Callable[[Frame], bool], most_requests: int = MOST_REQUESTS) -> None:
        self._send = send
        self._most = most_requests
        self._number = 0
        self._requests: dict[int, _Request] = {}
        self._watches: dict[bytes, list[Watcher]] = {}
        self._coming: set[bytes] = set()
        self._up = False

    def __len__(self) -> int:
        """Requests without an answer."""
        return len(self._requests)

    @property
    def waiting(self) -> int:
        """Tasks whose end is waited for."""
        return len(self._watches)

    # --- requests

    def ask(self, frame: Frame, answer: Answer, *, now: float = 0.0, repeatable: bool = True) -> int:
        """Sends a request, now or when there is a link. Answers its number, for `drop`.

        Raises Overloaded (`too_many_requests`) beyond the bound, InvalidInput (`frame_too_large`) over the node's limit.
        """
        if len(self._requests) >= self._most:
            raise Overloaded(
                f"{self._most} requests of this client wait for their answers: wait for some of them first",
                code="too_many_requests",
            )
        number, request = self._keep(frame, answer, repeatable, now)
        if self._up:
            try:
                request.sent = self._send(frame)
            except LinkFault as fault:
                del self._requests[number]
                raise _too_large(fault) from fault
        return number

    def drop(self, number: int) -> None:
        """Nobody wants this answer any more."""
        self._requests.pop(number, None)

    def oldest(self) -> float | None:
        """When the oldest unanswered request was asked."""
        return next((request.asked_at for request in self._requests.values()), None)

    def give_up(self, asked_until: float, error: Callable[[bool], RotaError]) -> None:
        """Answers the requests asked at or before an instant with an error, made with whether they had been sent."""
        for number, request in list(self._requests.items()):
            if request.asked_at > asked_until:
                break
            if self._requests.pop(number, None) is not None:
                request.answer(error(request.sent))

    def fail_all(self, error: RotaError) -> None:
        """No link will come: answers everything with the error."""
        requests, watches = list(self._requests.values()), list(self._watches.values())
        self._requests.clear()
        self._watches.clear()
        self._coming.clear()
        for request in requests:
            request.answer(error)
        for watcher in (watcher for several in watches for watcher in several):
            watcher(error)

    # --- waits

    def expect(self, task_id: bytes, watcher: Watcher) -> None:
        """Waits for a task whose submit asks the node to tell; the node knows of the wait by that submit."""
        self._watches.setdefault(task_id, []).append(watcher)
        self._coming.add(task_id)

    def arrived(self, task_id: bytes) -> None:
        """The submit of an expected task was answered: from now on a new link is told of the wait itself."""
        self._coming.discard(task_id)

    def watch(self, ids: Iterable[tuple[bytes, Watcher]], *, now: float = 0.0) -> None:
        """Waits for tasks that are known to the node."""
        fresh: list[bytes] = []
        for task_id, watcher in ids:
            several = self._watches.setdefault(task_id, [])
            if not several:
                fresh.append(task_id)
            several.append(watcher)
        for some in _chunks(fresh):
            self._ask_to_wait(some, now)

    def unwatch(self, ids: Iterable[tuple[bytes, Watcher]]) -> None:
        """These need not be told any more."""
        unwanted = [task_id for task_id, watcher in ids if self._part(task_id, watcher)]
        for some in _chunks(unwanted) if self._up else ():
            self._send(Frame(unwait=Unwait(ids=some)))

    # --- the link

    def up(self, now: float = 0.0) -> None:
        """A new link: asks again what has no answer, in order, and says what is waited for."""
        self._up = True
        for number, request in list(self._requests.items()):
            if request.frame.HasField("wait"):
                del self._requests[number]
            else:
                self._ask_again(number, request)
        for some in _chunks(task_id for task_id in self._watches if task_id not in self._coming):
            self._ask_to_wait(some, now)

    def down(self, reason: str) -> None:
        """The link is lost."""
        self._up = False
        for number, request in list(self._requests.items()):
            if request.sent and not request.repeatable and self._requests.pop(number, None):
                request.answer(
                    Unavailable(
                        f"the link was lost before the node answered ({reason}): "
                        "look at the task to see whether it was done",
                        code="outcome_unknown",
                    )
                )

    def received(self, frame: Frame) -> None:
        """Takes a data frame of the node. Answers that nobody waits for are dropped."""
        if frame.HasField("ended"):
            for outcome in frame.ended.outcomes:
                self._tell(outcome)
        request = self._requests.get(frame.request) if frame.request else None
        if request is not None:
            if not _goes_on(request.frame, frame):
                del self._requests[frame.request]
            request.answer(frame)

    # --- inside

    def _keep(self, frame: Frame, answer: Answer, repeatable: bool, now: float) -> tuple[int, _Request]:
        self._number += 1
        frame.request = self._number
        request = self._requests[self._number] = _Request(frame, answer, repeatable, now)
        return self._number, request

    def _ask_again(self, number: int, request: _Request) -> None:
        request.frame.ClearField("credit")  # the last link's
        try:
            request.sent = self._send(request.frame)
        except LinkFault as fault:
            del self._requests[number]
            request.answer(_too_large(fault))

    def _ask_to_wait(self, ids: list[bytes], now: float) -> None:
        def answered(answer: Frame | RotaError) -> None:
            if isinstance(answer, RotaError) or answer.HasField("failure"):
                for watcher in [watcher for task_id in ids for watcher in self._forget(task_id)]:
                    watcher(answer)

        # Not bounded as `ask` is: a wait is bounded by its caller, and a new link must be told of all.
        _, request = self._keep(Frame(wait=Wait(ids=ids)), answered, True, now)
        request.sent = self._up and self._send(request.frame)

    def _tell(self, outcome: Ended.Outcome) -> None:
        for watcher in self._forget(outcome.id):
            watcher(outcome)

    def _part(self, task_id: bytes, watcher: Watcher) -> bool:
        """Whether the node should hear that nobody waits any more."""
        several = self._watches.get(task_id, [])
        if watcher not in several:
            return False
        several.remove(watcher)
        if several:
            return False
        known = task_id not in self._coming
        self._forget(task_id)
        return known

    def _forget(self, task_id: bytes) -> list[Watcher]:
        self._coming.discard(task_id)
        return self._watches.pop(task_id, [])


def _goes_on(asked: Frame, answer: Frame) -> bool:
    """Whether more answers follow. A log is asked for anew from the last line that came."""
    if not (asked.HasField("read_logs") and answer.HasField("logs")):
        return False
    if answer.logs.lines:
        asked.read_logs.after = answer.logs.lines[-1].number
    return not answer.logs.complete


def _too_large(fault: LinkFault) -> InvalidInput:
    return InvalidInput(f"the request is too large for a frame: {fault.reason}", code="frame_too_large")


def _chunks(ids: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(list(ids))
    while some := list(islice(rest, WAITS_A_FRAME)):
        yield some
