"""How the engine reaches the other end of a link: one door for a worker, one for a client that waits.

Calls write into frames at once, since records go on changing; the frames leave at the end of the loop's turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rota.model.task import Task
from rota.transport.frame_batch import FrameBatch
from rota.wire.codec import write_assignment, write_outcome, write_refs
from rota.wire.v1.link_pb2 import Drain, Frame, Recall, ShutDown


class LinkWorkerDoor:
    """Implements `contract.door.WorkerDoor`. `ring` is called when there is something to take."""

    def __init__(self, ring: Callable[[], None], close: Callable[[int, str], None]) -> None:
        self._ring, self._close = ring, close
        self._frames: list[Frame] = []
        self._assigned = FrameBatch(lambda frame: frame.assign.tasks, self._frames.append)

    def assign(self, tasks: Sequence[Task], announce: frozenset[int]) -> None:
        for task in tasks:
            write_assignment(task, self._assigned.add(len(task.spec.params)), task.seq in announce)
        self._ring()

    def cancel(self, refs: Sequence[tuple[bytes, int]], reason: str) -> None:
        frame = Frame()
        frame.stop.reason = reason
        write_refs(refs, frame.stop.tasks.add)
        self._put(frame)

    def recall(self, count: int) -> None:
        self._put(Frame(recall=Recall(count=count)))

    def drain(self, reconnect_to: Sequence[str]) -> None:
        self._put(Frame(drain=Drain(reconnect_to=reconnect_to, reason="the node stops")))

    def shut_down(self, reason: str) -> None:
        self._put(Frame(shut_down=ShutDown(reason=reason)))

    def close(self, code: int, reason: str) -> None:
        self._close(code, reason)

    def take(self) -> list[Frame]:
        """What was said since the last time, in order."""
        self._assigned.close()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def _put(self, frame: Frame) -> None:
        self._assigned.close()
        self._frames.append(frame)
        self._ring()


class LinkWaiterDoor:
    """Implements `contract.door.WaiterDoor`.

    While the other side is behind with what it was sent, only the ids are kept, in `parked`: the session waits for them
    anew when there is room, and the store has the rest.
    """

    def __init__(self, ring: Callable[[], None], congested: Callable[[], bool]) -> None:
        self._ring, self._congested = ring, congested
        self._frames: list[Frame] = []
        self._ended = FrameBatch(lambda frame: frame.ended.outcomes, self._frames.append)
        self.parked: list[bytes] = []

    def ended(self, tasks: Sequence[Task]) -> None:
        if self._congested():
            self.parked.extend(task.id for task in tasks)
            return
        for task in tasks:
            write_outcome(task, self._ended.add(len(task.outcome or b"")))
        self._ring()

    def unknown(self, ids: Sequence[bytes]) -> None:
        """Tells of tasks that nobody knows."""
        for task_id in ids:
            outcome = self._ended.add(0)
            outcome.id, outcome.state = task_id, "unknown"
        self._ring()

    def take(self) -> list[Frame]:
        """What was said since the last time, in order."""
        self._ended.close()
        frames = list(self._frames)
        self._frames.clear()
        return frames
