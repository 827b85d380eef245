"""How a client runs."""

from __future__ import annotations

from dataclasses import dataclass

from rota.config.kind import duration
from rota.config.quantity import SECOND
from rota.config.reach import ReachSettings, url_faults
from rota.config.setting import setting
from rota.model.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(ReachSettings):
    """Durations are microseconds."""

    connect_timeout: int = setting(
        10 * SECOND,
        duration("100ms", "10m"),
        "How long to try to reach a node.",
        "连接节点最多尝试多久。",
    )

    def faults(self) -> list[Fault]:
        """What does not fit together."""
        return url_faults(self.url)
