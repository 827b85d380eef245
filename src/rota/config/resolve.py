"""Settings put together: flag over variable over file over default. All faults are told at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rota.config.client import ClientSettings
from rota.config.file import ConfigFile, read_config
from rota.config.node import NodeSettings
from rota.config.sections import every_setting, section_of, settings_in
from rota.config.setting import Setting
from rota.config.spelling import did_you_mean
from rota.config.worker import WorkerSettings
from rota.model.errors import Fault, InvalidInput, RefusesToStart
from rota.telemetry.redaction import redactor

S = TypeVar("S", NodeSettings, WorkerSettings, ClientSettings)
_OTHER_VARIABLES = ("ROTA_CONFIG", "ROTA_FAILPOINTS")


def resolve(
    kind: type[S],
    flags: Mapping[str, object] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    file: Path | None = None,
    defaults: Mapping[str, object] | None = None,
) -> S:
    """The settings of one part. Raises InvalidInput that names every place that is wrong.

    `flags` holds text by key (None: not given), `defaults` ready values in the place of the definition's own.
    Without `file` the variable ROTA_CONFIG may name one. An empty variable counts as not set; a blank secret is
    RefusesToStart (`blank_secret`), since it never means that everybody may come in.
    """
    env = os.environ if env is None else env
    config = _config(file, env)
    values: dict[str, Any] = dict(defaults or {})
    places: dict[str, str] = {}
    faults: list[Fault] = []
    for setting in settings_in(section_of(kind)):
        for place, value in _said(setting, flags or {}, env, config):
            places[setting.key] = place
            try:
                values[setting.key] = _noted(setting, setting.kind.take(value))
            except ValueError as error:
                faults.append(Fault(place, "bad_value", _kept_secret(setting, error)))
            break
    if faults:
        raise InvalidInput.all_of(faults)
    settings = kind(**values)
    if unfit := settings.faults():
        raise InvalidInput.all_of([replace(fault, path=places.get(fault.path, fault.path)) for fault in unfit])
    return settings


def unknown_variables(env: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each `ROTA_*` variable that nothing reads."""
    known = {setting.variable for setting in every_setting()}.union(_OTHER_VARIABLES)
    names = sorted(name for name in (os.environ if env is None else env) if name.startswith("ROTA_"))
    return [f"the variable {name} is read by nothing{did_you_mean(name, known)}" for name in names if name not in known]


def _config(file: Path | None, env: Mapping[str, str]) -> ConfigFile | None:
    if file is None and (named := env.get("ROTA_CONFIG")):
        file = Path(named)
    return read_config(file) if file is not None else None


def _said(
    setting: Setting, flags: Mapping[str, object], env: Mapping[str, str], config: ConfigFile | None
) -> Iterator[tuple[str, object]]:
    """Where a setting is said, strongest first: (place for messages, value)."""
    if flags.get(setting.key) is not None:
        yield setting.flag, flags[setting.key]
    variable = env.get(setting.variable)
    if setting.secret and variable is not None and not variable.strip():
        raise RefusesToStart(f"{setting.variable} is blank: set it, or remove it", code="blank_secret")
    if variable:
        yield setting.variable, variable.strip() if setting.secret else variable
    table = config.sections.get(setting.section, {}) if config else {}
    if config and setting.key in table:
        yield config.place(setting.section, setting.key), table[setting.key]


def _noted(setting: Setting, value: Any) -> Any:
    """The value, which from now on no log shows where it is a secret or an address with one."""
    if setting.secret:
        redactor.learn(value)
    elif isinstance(value, str) and "://" in value:
        redactor.learn_address(value)
    return value


def _kept_secret(setting: Setting, error: ValueError) -> str:
    return "the value cannot be used" if setting.secret else str(error)
