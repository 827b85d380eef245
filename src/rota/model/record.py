"""How nouns are declared that are made once per task: frozen to the type checker, plain at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots whose fields nobody sets after it is made.

    A dataclass that is frozen at run time sets each field by a call; making one takes four times as long.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
