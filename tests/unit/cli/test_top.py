"""`rota top`: one look, a stream of looks, and a screen with keys."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from scripted_client import Rota, ScriptedClient, task, worker

from rota.cli.top.screen import History, draw, graph, short
from rota.cli.top.snapshot import take

SCRIPTED = Path(__file__).with_name("scripted_client.py")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10.0k"), (123_456, "123k"), (999_999, "999k"), (12_345_678, "12.3M")],
)
def test_a_count_takes_few_columns(count: int, words: str) -> None:
    assert short(count) == words
    assert len(short(count)) <= 6


def test_a_graph_has_a_bar_a_look() -> None:
    assert graph([]) == graph([5.0]) == ""
    assert graph([0.0, 0.0]) == "▁▁"
    assert graph([0.0, 50.0, 100.0]) == "▁▅█"


def drawn(client: ScriptedClient, width: int, height: int | None, foot: str = "") -> list[str]:
    buffer = StringIO()
    shot, history = take(client), History()  # type: ignore[arg-type]
    history.add(shot)
    Console(file=buffer, width=width).print(draw(shot, history, width, height, foot))
    return buffer.getvalue().splitlines()


@pytest.mark.parametrize("height", [24, 30, 50])
def test_the_screen_fits_eighty_columns_and_its_height(client: ScriptedClient, height: int) -> None:
    client.connected = [worker(f"worker-with-a-long-name-{n}") for n in range(60)]
    lines = drawn(client, 80, height, "q quit")
    assert len(lines) <= height
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("q quit"), "the last line is there, however many workers there are"
    rows = sum("worker-with" in line for line in lines)
    assert f"… {60 - rows} more" in "\n".join(lines)


def test_a_narrow_screen_is_cut_not_folded(client: ScriptedClient) -> None:
    lines = drawn(client, 50, 20, "q quit   p pause   r look now   every 1 s and something that is too long")
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 50


def test_one_look_in_a_pipe(rota_here: Rota, client: ScriptedClient) -> None:
    client.connected = [worker("one", draining=True)]
    done = rota_here("top")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    for words in ("node-1", "ready 1,234", "(no group)", "12.3k", "draining", "p50 1.0 ms, p99 10.0 ms", "3 at once"):
        assert words in done.out, words


def test_the_tasks_that_run_longest_come_first(client: ScriptedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from scripted_client import AT

    running = [task(n, "running", started_at=AT + timedelta(seconds=n), ended_at=None) for n in (30, 10, 20)]
    stats = client.stats()
    stats.tasks["running"] = 3
    monkeypatch.setattr(client, "stats", lambda: stats)
    monkeypatch.setattr(client, "list", lambda **asked: iter(running))
    value = take(client).value()  # type: ignore[arg-type]
    assert [int(each["id"][-2:]) for each in value["slowest"]] == [10, 20, 30]


def test_a_line_a_look_for_machines(rota_here: Rota, client: ScriptedClient) -> None:
    client.connected = [worker("one")]
    values = rota_here("top", "--json", "--count", "2", "--every", "200ms").values
    assert len(values) == 2
    assert values[0]["rates"] == {"submitted": 1.5, "finished": 0.0}
    assert values[0]["tasks"]["ready"] == 1234
    assert values[0]["workers"][0]["name"] == "one"
    assert values[0]["groups"][1]["control"]["rate"] == "10/s"
    assert values[0]["at"] < values[1]["at"]


@pytest.mark.parametrize("argv", [["--every", "10ms"], ["--count", "0"], ["--every", "soon"]])
def test_what_cannot_be_is_refused(rota_here: Rota, argv: list[str]) -> None:
    assert rota_here("top", *argv).code == 2


# --- on a terminal


class Terminal:
    """A program on a terminal of its own, 80 by 24."""

    def __init__(self, *argv: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.settings = termios.tcgetattr(theirs)
        self.child = subprocess.Popen(
            [sys.executable, str(SCRIPTED), *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        self.ours, self.theirs = ours, theirs
        self.said = ""

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def until(self, words: str) -> None:
        """Fails after a while with what was on the screen."""
        before = len(self.said)
        deadline = time.monotonic() + 20
        while words not in ESCAPE.sub("", self.said[before:]):
            assert time.monotonic() < deadline, f"{words!r} never came: {ESCAPE.sub('', self.said)[-3000:]}"
            with contextlib.suppress(BlockingIOError):
                self.said += os.read(self.ours, 65536).decode("utf-8", "replace")

    def ended(self) -> int:
        """Its exit code. What it still writes is read meanwhile, so that it can end."""
        os.set_blocking(self.ours, False)
        while self.child.poll() is None:
            with contextlib.suppress(BlockingIOError, OSError):
                self.said += os.read(self.ours, 65536).decode("utf-8", "replace")
        return self.child.wait(20)

    def close(self) -> None:
        """As the window does: nobody reads it, and nothing more comes from it."""
        for end in (self.ours, self.theirs):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal("top", "--every", "200ms")
    yield made
    if made.child.poll() is None:
        made.child.kill()
    made.child.wait()
    made.close()


def test_q_ends_it_and_the_terminal_is_as_it_was(terminal: Terminal) -> None:
    terminal.until("q quit")
    assert "\x1b[?1049h" in terminal.said, "a screen of its own"
    terminal.type("q")
    assert terminal.ended() == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.settings


def test_p_holds_it_still_and_lets_it_go_on(terminal: Terminal) -> None:
    terminal.until("p pause")
    terminal.type("p")
    terminal.until("PAUSED")
    terminal.type("p")
    terminal.until("p pause")
    terminal.type("q")
    assert terminal.ended() == 0


def test_ctrl_c_ends_it_with_130_and_the_terminal_is_as_it_was(terminal: Terminal) -> None:
    terminal.until("q quit")
    terminal.child.send_signal(2)
    assert terminal.ended() == 130
    assert termios.tcgetattr(terminal.theirs) == terminal.settings
    assert "Traceback" not in terminal.said


def test_it_ends_with_its_terminal(terminal: Terminal) -> None:
    terminal.until("q quit")
    terminal.close()
    assert terminal.child.wait(20) == 141
