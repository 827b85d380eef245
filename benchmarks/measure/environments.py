"""The peers' own virtual environments, under .bench/venvs: made at the first run, and again when a requirement changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "requirements"
PLACE = ROOT / ".bench"


class SetupFailed(Exception):
    """An environment could not be made; the sentence says which, and what pip said."""


def bin_of(peer: str) -> Path:
    """Where the peer's programs are. Rota's are in the environment that runs the benchmark."""
    return Path(sys.executable).parent if peer == "rota" else PLACE / "venvs" / peer / "bin"


def prepare(peers: Iterable[str], tell: Callable[[str], None]) -> None:
    for peer in dict.fromkeys(peers):
        if peer != "rota" and not _is_current(peer):
            tell(f"making .bench/venvs/{peer} (once; some ten seconds)")
            _make(peer)


def _stamp(peer: str) -> Path:
    return PLACE / "venvs" / peer / ".installed"


def _wanted(peer: str) -> str:
    return hashlib.sha256((REQUIREMENTS / f"{peer}.txt").read_bytes()).hexdigest() + sys.version


def _is_current(peer: str) -> bool:
    stamp = _stamp(peer)
    return stamp.exists() and stamp.read_text() == _wanted(peer)


def _make(peer: str) -> None:
    place = PLACE / "venvs" / peer
    shutil.rmtree(place, ignore_errors=True)
    _run(peer, sys.executable, "-m", "venv", str(place))
    pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
    _run(peer, *pip, "install", "--require-hashes", "-r", str(REQUIREMENTS / f"{peer}.txt"))
    _stamp(peer).write_text(_wanted(peer))


def _run(peer: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupFailed(f"the environment of {peer} could not be made:\n{done.stderr.strip()[-1500:]}")
