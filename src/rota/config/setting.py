"""One definition of each setting: its key, and from that its flag, its `ROTA_*` variable, its TOML key and its docs.

The settings of a part are the fields of a frozen dataclass, each made by `setting` or `computed`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from rota.config.kind import Kind

D = TypeVar("D")
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class _Note:
    kind: Kind[Any]
    text: dict[Language, str]
    shown: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as one section of the configuration has it."""

    section: str
    key: str
    kind: Kind[Any]
    text: dict[Language, str]
    """What it is for, by language."""
    shown: str
    """The default, in words."""
    secret: bool
    """It has no flag and no TOML key: command lines and files of settings are read by others."""

    @property
    def flag(self) -> str:
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        return "ROTA_" + self.key.upper()


def setting(default: D, kind: Kind[Any], en: str, zh: str, *, shown: str | None = None, secret: bool = False) -> D:
    """A field whose default is a value."""
    words = shown if shown is not None else ("" if default is None else kind.show(default))
    note = _Note(kind, {"en": en, "zh": zh}, words, secret)
    return dataclasses.field(default=default, repr=not secret, metadata={"setting": note})


def computed(make: Callable[[], D], kind: Kind[Any], en: str, zh: str, *, shown: str) -> D:
    """A field whose default depends on where the program runs; `shown` says it in words."""
    note = _Note(kind, {"en": en, "zh": zh}, shown, secret=False)
    return dataclasses.field(default_factory=make, metadata={"setting": note})


@cache
def settings_of(section: str, kind: type) -> tuple[Setting, ...]:
    """The settings that a dataclass defines, in order."""
    notes = ((field.name, field.metadata["setting"]) for field in dataclasses.fields(kind))
    return tuple(Setting(section, name, n.kind, n.text, n.shown, n.secret) for name, n in notes)
