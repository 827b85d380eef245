"""The log book on its way to the store."""

from collections.abc import Sequence

import pytest

from rota.model.errors import Unavailable
from rota.model.log import LogLine, Progress
from rota.observe import logs
from rota.observe.logs import LogBook
from rota.storage.memory import MemoryStore


class MoodyStore(MemoryStore):
    """Refuses what it is told to refuse, and keeps lines of tasks that it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.lines: list[str] = []
        self.kept: dict[int, Progress] = {}

    async def append_logs(self, lines: Sequence[tuple[int, LogLine]]) -> None:
        self._unless_away("lines")
        self.lines += [line.text for _, line in lines]

    async def set_progress(self, marks: Sequence[tuple[int, Progress]]) -> None:
        self._unless_away("marks")
        self.kept.update(marks)

    async def progress(self, seqs: Sequence[int]) -> dict[int, Progress]:
        return {seq: self.kept[seq] for seq in seqs if seq in self.kept}

    def _unless_away(self, what: str) -> None:
        if what in self.away:
            raise Unavailable("the disk is gone", code="store_unavailable")


@pytest.fixture
async def store() -> MoodyStore:
    made = MoodyStore()
    await made.open()
    return made


def line(text: str) -> LogLine:
    return LogLine(1, 1, 20, text)


def mark(done: int) -> Progress:
    return Progress(1, 1, done / 10)


async def test_lines_wait_while_the_store_is_away_and_the_oldest_are_dropped(
    store: MoodyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_WAITING_LINES", 3)
    book = LogBook(store)
    store.away = {"lines", "marks"}
    book.write(1, [line("one"), line("two")])
    await book.write_through()
    book.write(1, [line("three"), line("four")])
    store.away.clear()
    await book.stop()
    assert store.lines == ["two", "three", "four"]


async def test_lines_are_written_once_where_only_progress_cannot_be(store: MoodyStore) -> None:
    book, store.away = LogBook(store), {"marks"}
    book.write(1, [line("one")])
    book.mark(1, mark(5))
    await book.write_through()
    await book.write_through()
    assert store.lines == ["one"]
    assert await book.marks([1, 2]) == {1: mark(5)}, "it waits, and is known all the same"
    store.away.clear()
    book.mark(1, mark(6))
    await book.stop()
    assert store.kept == {1: mark(6)}


async def test_followers_are_called_when_there_is_something_to_read(store: MoodyStore) -> None:
    book, store.away = LogBook(store), {"lines"}
    rung: list[int] = []
    stop = book.follow(1, lambda: rung.append(1))
    book.write(1, [line("one")])
    await book.write_through()
    assert rung == [], "it is not in the store yet"
    store.away.clear()
    await book.write_through()
    assert rung == [1]
    stop()
    book.write(1, [line("two")])
    await book.stop()
    assert rung == [1]


async def test_what_is_over_the_quota_of_a_task_is_left_out_and_one_line_says_so(store: MoodyStore) -> None:
    book = LogBook(store, quota=100)
    book.write(1, [line("x" * 50), line("y" * 50), line("z")])
    book.write(1, [line("z")])
    book.write(2, [line("another's")])
    await book.stop()
    assert [text[:3] for text in store.lines] == ["xxx", "… t", "ano"]
