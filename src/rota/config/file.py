"""The configuration file: TOML with the sections [node], [worker] and [client].

Everything wrong in it is told at once, each with file, line and key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rota.config.sections import SECTIONS, settings_in
from rota.config.spelling import did_you_mean
from rota.model.errors import Fault, InvalidInput

MAX_FILE = 1024 * 1024
_SECTION = re.compile(r"\s*\[\s*([A-Za-z0-9_\-\"']+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"'. ]+?)\s*=")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Values by section and key, as TOML gave them."""

    path: Path
    sections: Mapping[str, Mapping[str, object]]
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """The line of a section (with key "") or key, where it was found."""

    def place(self, section: str, key: str = "") -> str:
        """`rota.toml:12: node.lease_ttl`."""
        line = self.lines.get((section, key)) or self.lines.get((section, ""))
        where = f"{self.path}:{line}" if line else str(self.path)
        return f"{where}: {section}.{key}" if key else f"{where}: [{section}]"


def read_config(path: Path) -> ConfigFile:
    """Raises InvalidInput with every fault of the file, whatever command asked for it."""
    text = _text_of(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput.at(str(path), "bad_toml", str(error)) from None
    except RecursionError:
        raise InvalidInput.at(str(path), "bad_toml", "it is nested too deeply") from None
    config = ConfigFile(path, tables, _lines_of(text))
    if faults := [*_unknown(config), *_unfit(config)]:
        raise InvalidInput.all_of(faults)
    return config


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            raise InvalidInput.at(
                str(path), "no_config", "there is no such file" if not path.exists() else "it is no regular file"
            )
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise InvalidInput.at(str(path), "config_too_large", "it is larger than 1 MiB, which no configuration is")
        return raw.decode("utf-8")
    except OSError as error:
        raise InvalidInput.at(str(path), "no_config", f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput.at(str(path), "bad_toml", "it is not UTF-8 text") from None


def _unknown(config: ConfigFile) -> list[Fault]:
    found = []
    for section, table in config.sections.items():
        if section not in SECTIONS:
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            words = f"there is no such section{did_you_mean(section, SECTIONS)}; there are {known}"
            found.append(Fault(config.place(section), "unknown_section", words))
        elif not isinstance(table, dict):
            found.append(
                Fault(config.place(section), "bad_value", f"this is a section: write [{section}] on a line of its own")
            )
        else:
            found.extend(_unknown_keys(config, section, table))
    return found


def _unknown_keys(config: ConfigFile, section: str, table: Mapping[str, object]) -> list[Fault]:
    open_keys = [s.key for s in settings_in(section) if not s.secret]
    secret_keys = [s.key for s in settings_in(section) if s.secret]
    found = []
    for key in table:
        if key in secret_keys:
            words = f"a secret cannot stand in this file; put it into a file of its own and name that by {key}_file"
            found.append(Fault(config.place(section, key), "secret_in_config", words))
        elif key not in open_keys:
            words = f"there is no such setting{did_you_mean(key, open_keys)}"
            found.append(Fault(config.place(section, key), "unknown_key", words))
    return found


def _unfit(config: ConfigFile) -> list[Fault]:
    found = []
    for section in SECTIONS:
        table = config.sections.get(section, {})
        for setting in settings_in(section) if isinstance(table, dict) else ():
            if setting.key in table and not setting.secret:
                try:
                    setting.kind.take(table[setting.key])
                except ValueError as error:
                    found.append(Fault(config.place(section, setting.key), "bad_value", str(error)))
    return found


def _lines_of(text: str) -> dict[tuple[str, str], int]:
    """Only for messages: TOML's own parser keeps no lines, and the plain forms are found well enough by looking."""
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _SECTION.match(line):
            section = match[1].strip("\"'")
            lines.setdefault((section, ""), number)
        elif match := _KEY.match(line):
            key = match[1].strip("\"' ")
            lines.setdefault((section, key) if section else (key, ""), number)
    return lines
