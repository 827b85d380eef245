"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`says` is what was seen, `advice` what to do; there is advice wherever the level is not ok."""

    check: str
    level: Level
    says: str
    advice: str = ""
