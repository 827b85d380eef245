"""What a setting's value may be: how it is read from a flag, a variable or TOML, and how it is shown.

A value that does not fit raises ValueError; its sentence says what was wrong and what may be written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from rota.config.quantity import read_duration, read_size, show_duration, show_size
from rota.config.spelling import did_you_mean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A sort of value. `read` takes text; `name` is for people (`duration`, `1 to 65535`)."""

    name: str
    sign: str
    """What stands for a value in the help: DURATION, N, full|relaxed."""
    read: Callable[[str], T]
    show: Callable[[Any], str] = str
    is_flag: bool = False
    is_list: bool = False

    def take(self, value: object) -> T:
        """A value as it stood in a flag, a variable (both text) or TOML (typed)."""
        return self.read(self._text_of(value))

    def _text_of(self, value: object) -> str:
        if self.is_list and isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return ",".join(value)
        if self.is_flag and isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not self.is_flag:
            return str(value)
        raise ValueError(f"a {type(value).__name__} cannot stand here; {self.name} is wanted")


def _read_text(text: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("control characters cannot stand here")
    return text


def _read_path(text: str) -> Path:
    if "\0" in text or not text.strip():
        raise ValueError("this is no path")
    return Path(text).expanduser()


def _read_flag(text: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(item for part in _read_text(text).split(",") if (item := part.strip()))


TEXT: Kind[str] = Kind("text", "TEXT", _read_text)
PATH: Kind[Path] = Kind("path", "PATH", _read_path)
FLAG: Kind[bool] = Kind("true or false", "", _read_flag, lambda on: "true" if on else "false", is_flag=True)
LIST: Kind[tuple[str, ...]] = Kind("comma-separated list", "A,B", _read_list, ",".join, is_list=True)


def whole(lowest: int, highest: int) -> Kind[int]:
    """A whole number within bounds, both allowed."""

    def read(text: str) -> int:
        try:
            number = int(text.strip(), 10)
        except ValueError:
            raise ValueError(f"{text!r} is no whole number") from None
        return _bounded(number, lowest, highest, str)

    return Kind(f"{lowest} to {highest}", "N", read)


def duration(shortest: str, longest: str) -> Kind[int]:
    """A duration within bounds, in microseconds."""
    low, high = read_duration(shortest), read_duration(longest)
    return Kind(
        "duration", "DURATION", lambda text: _bounded(read_duration(text), low, high, show_duration), show_duration
    )


def size(smallest: str, largest: str) -> Kind[int]:
    """A size within bounds, in bytes."""
    low, high = read_size(smallest), read_size(largest)
    return Kind("size", "SIZE", lambda text: _bounded(read_size(text), low, high, show_size), show_size)


def choice(*words: str) -> Kind[str]:
    """One of some words."""

    def read(text: str) -> str:
        if (word := text.strip().lower()) in words:
            return word
        raise ValueError(f"{text!r} is none of {', '.join(words)}{did_you_mean(text.lower(), words)}")

    return Kind(" or ".join(words), "|".join(words), read)


def _bounded(number: int, lowest: int, highest: int, show: Callable[[int], str]) -> int:
    if lowest <= number <= highest:
        return number
    raise ValueError(f"{show(number)} is out of bounds; {show(lowest)} to {show(highest)} can stand here")
