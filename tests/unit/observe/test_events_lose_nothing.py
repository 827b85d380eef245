"""However readers read, stop and come again: who does as it is told shows the truth in the end."""

from __future__ import annotations

import asyncio
import json

from events_kit import EVERYTHING, make_events, make_task
from hypothesis import given
from hypothesis import strategies as st

from rota.model.task import State, Task
from rota.model.text import task_id_text
from rota.observe.event_forms import MESSAGES
from rota.observe.event_reader import Reader
from rota.observe.event_ring import Ring
from rota.observe.events import Events

TASKS, READERS = 6, 3
CHANGES = st.tuples(st.just("change"), st.integers(0, TASKS - 1), st.sampled_from(list(State)))
REMOVALS = st.tuples(st.just("remove"), st.integers(0, TASKS - 1))
READS = st.tuples(st.just("read"), st.integers(0, READERS - 1))
LEAVES = st.tuples(st.just("come again"), st.integers(0, READERS - 1))
DEAF = st.tuples(st.just("nobody for long"))
STEPS = st.lists(st.one_of(CHANGES, CHANGES, REMOVALS, st.tuples(st.just("round")), READS, LEAVES, DEAF), max_size=80)


class Node:
    """What is true, and the stream that tells of it. The ring is small, so that it forgets."""

    def __init__(self) -> None:
        self.events: Events = make_events()
        self.events._ring = Ring(12, 4_000)
        self.tasks: dict[str, Task] = {}

    def change(self, task: Task, state: State) -> None:
        task.state = state
        self.tasks[task_id_text(task.id)] = task
        self.events.tasks([task])

    def remove(self, task: Task) -> None:
        if self.tasks.pop(task_id_text(task.id), None) is not None:
            self.events.removed([task.id])

    def truth(self) -> dict[str, str]:
        return {task_id: task.state.name.lower() for task_id, task in self.tasks.items()}


class Screen:
    """Shows tasks, as the page on events says a program does it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.shown: dict[str, str] = {}
        self._last = ""
        self._reader: Reader
        self.come()
        self.shown = node.truth()

    def come(self) -> None:
        self._reader = self._node.events.join(EVERYTHING, MESSAGES, self._last)
        self._last = self._last or self._node.events.place

    def leave(self) -> None:
        self._reader.leave()

    async def read(self) -> None:
        """All that is there by now."""
        while True:
            self._reader.beat()
            chunk = await self._reader.next()
            assert chunk is not None
            message = json.loads(chunk)
            self._last = message["last"]
            for event in message.get("events", ()):
                self._apply(event)
            if message["type"] == "heartbeat":
                return

    def _apply(self, event: dict) -> None:
        if event["type"] == "task":
            self.shown[event["task"]["id"]] = event["task"]["state"]
        elif event["type"] == "removed":
            self.shown.pop(event["id"], None)
        else:
            self.shown = self._node.truth()


async def play(steps: list[tuple]) -> None:
    node = Node()
    tasks = [make_task() for _ in range(TASKS)]
    screens = [Screen(node) for _ in range(READERS)]
    for step, *what in steps:
        if step == "change":
            node.change(tasks[what[0]], what[1])
        elif step == "remove":
            node.remove(tasks[what[0]])
        elif step == "round":
            node.events._round()
        elif step == "read":
            await screens[what[0]].read()
        elif step == "come again":
            screens[what[0]].leave()
            screens[what[0]].come()
        else:
            for screen in screens:
                screen.leave()
            node.events._grow_deaf()
            for screen in screens:
                screen.come()
    node.events._round()
    for screen in screens:
        await screen.read()
        assert screen.shown == node.truth()
    node.events.close()


@given(STEPS)
def test_a_screen_shows_the_truth_in_the_end(steps: list[tuple]) -> None:
    asyncio.run(play(steps))
