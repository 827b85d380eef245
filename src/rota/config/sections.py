"""The sections of the configuration, and all of their settings."""

from __future__ import annotations

from collections.abc import Iterator

from rota.config.client import ClientSettings
from rota.config.node import NodeSettings
from rota.config.setting import Setting, settings_of
from rota.config.worker import WorkerSettings

SECTIONS: dict[str, type] = {"node": NodeSettings, "worker": WorkerSettings, "client": ClientSettings}


def settings_in(section: str) -> tuple[Setting, ...]:
    """The settings of one section, in order."""
    return settings_of(section, SECTIONS[section])


def every_setting() -> Iterator[Setting]:
    """All of all sections; a key may stand in several and then means the same."""
    for section in SECTIONS:
        yield from settings_in(section)


def section_of(kind: type) -> str:
    """The name of the section that a dataclass defines."""
    return next(name for name, defined in SECTIONS.items() if defined is kind)
