"""The two processes of `rota dev`, which stops them in order: the worker first, while the node still takes its results."""

from __future__ import annotations

import json
import subprocess

from rota.cli import child
from rota.cli.output import Output
from rota.config import NodeSettings
from rota.config.sections import settings_in


class DevNode:
    """`rota node --json`, whose first line says where it is."""

    def __init__(self, settings: NodeSettings) -> None:
        self._process = child.start("node", "--json", *_as_flags(settings), stdout=subprocess.PIPE)

    def wait_ready(self, out: Output) -> str | None:
        """The node's address, when it answers; None where it has ended instead (it has said why)."""
        lines = self._process.stdout
        line = lines.readline() if lines is not None else ""
        if not line:
            return None
        ready = json.loads(line)
        _announce(ready, out)
        return str(ready["http_url"])

    def ended_within(self, seconds: float) -> int | None:
        """The node's exit code, or None if it still runs after a while."""
        return child.ended_within(self._process, seconds)

    def stop(self) -> int:
        return child.stop(self._process)


class DevWorker:
    """`rota worker`, started as often as files change."""

    def __init__(self, target: str, url: str) -> None:
        self._words = ("worker", target, "--url", url, "--shutdown-grace", "3s")
        self._process: child.Process | None = None
        self._told = False

    def start(self) -> None:
        with child.in_one_piece():
            self._process = child.start(*self._words)
        self._told = False

    def restart(self) -> None:
        self.stop()
        self.start()

    def has_just_ended(self) -> bool:
        """True once after it ended by itself."""
        if self._told or self._process is None or self._process.poll() is None:
            return False
        self._told = True
        return True

    def stop(self) -> None:
        if self._process is not None:
            child.stop(self._process)


def _announce(ready: dict[str, object], out: Output) -> None:
    if out.json:
        out.value(ready)
        return
    out.say(f"rota dev: node {ready['node_id']} at {ready['http_url']}, tasks in {ready['data']}")
    out.say("rota dev: watching the Python files of this folder; Ctrl-C stops everything")


def _as_flags(settings: NodeSettings) -> list[str]:
    """The settings as `rota node` takes them; a secret goes by the environment, which the child shares."""
    words: list[str] = []
    for setting in settings_in("node"):
        value = getattr(settings, setting.key)
        if value is None or setting.secret:
            continue
        if setting.kind.is_flag:
            words.extend([setting.flag] if value else [])
        else:
            words.extend([setting.flag, setting.kind.show(value)])
    return words
