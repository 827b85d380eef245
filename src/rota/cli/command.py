"""Makes a command of a function: the flags of its settings come from their definitions, and --json and --config are there.

    @command(ClientSettings)
    def show(settings: ClientSettings, out: Output, id: str) -> int: ...

becomes `rota show ID --url … --token-file … --json --config …`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import Group, Parameter, Token

from rota.cli.output import Output
from rota.config import resolve, unknown_variables
from rota.config.kind import PATH
from rota.config.sections import section_of, settings_in
from rota.config.setting import Setting

_GROUPS = {
    "node": Group("Node", sort_key=1),
    "worker": Group("Worker", sort_key=1),
    "client": Group("Connection", sort_key=1),
}
_SAID = "said"
_COMMON = Group("Output and configuration", sort_key=2)
Json = Annotated[
    bool, Parameter(name="--json", negative="", help="JSON for machines.", group=_COMMON, show_default=False)
]
Config = Annotated[
    Path | None,
    Parameter(
        name="--config",
        help="A TOML file of settings (ROTA_CONFIG).",
        metavar="PATH",
        group=_COMMON,
        show_default=False,
    ),
]


def command(
    *kinds: type[Any], defaults: dict[str, object] | None = None, only: Sequence[str] = ()
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The function gets the resolved settings of each kind, the Output and its own arguments; it answers the exit code.

    `defaults` stand in the place of the defaults of the first kind. `only`: the settings of the first kind that are flags of
    this command; none: all of them. A function with an argument `said` gets the keys of the settings that came as flags,
    which are meant for this one call, as a variable or a file may not be.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        settings = {
            s.key: s
            for kind in reversed(kinds)
            for s in settings_in(section_of(kind))
            if not s.secret and (kind is not kinds[0] or not only or s.key in only)
        }

        def run(*args: Any, json: bool = False, config: Path | None = None, **given: Any) -> int:
            out = Output(json=json)
            for sentence in unknown_variables():
                out.warn(sentence)
            flags = {key: given.pop(_argument(s), None) for key, s in settings.items()}
            if _SAID in inspect.signature(function).parameters:
                given[_SAID] = frozenset(key for key, value in flags.items() if value is not None)
            resolved = [
                resolve(kind, flags, file=config, defaults=defaults if kind is kinds[0] else None) for kind in kinds
            ]
            return function(*resolved, out, *args, **given)

        return _shaped(run, function, [_parameter(s) for s in settings.values()], skip=len(kinds) + 1)

    return decorate


def plain(function: Callable[..., int]) -> Callable[..., int]:
    """A command without settings: only the Output is given."""

    def run(*args: Any, json: bool = False, **given: Any) -> int:
        return function(Output(json=json), *args, **given)

    return _shaped(run, function, [], skip=1, with_config=False)


def _shaped(
    run: Callable[..., int],
    function: Callable[..., int],
    flags: list[inspect.Parameter],
    *,
    skip: int,
    with_config: bool = True,
) -> Callable[..., int]:
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    own = [p.replace(annotation=hints[p.name]) for p in parameters if p.name != _SAID]
    common = [_keyword("json", Json, default=False)]
    if with_config:
        common.append(_keyword("config", Config, default=None))
    run.__name__, run.__doc__, run.__module__ = function.__name__, function.__doc__, function.__module__
    run.__annotations__ = {}
    vars(run)["__signature__"] = inspect.Signature([*own, *flags, *common], return_annotation=int)
    return run


def _parameter(setting: Setting) -> inspect.Parameter:
    default = f"; default {setting.shown}" if setting.shown and not setting.kind.is_flag else ""
    parameter = Parameter(
        name=setting.flag,
        converter=None if setting.kind.is_flag else _as_written,
        n_tokens=None if setting.kind.is_flag else 1,
        show_choices=False,
        negative=f"--no-{setting.flag[2:]}" if setting.kind.is_flag else None,
        help=f"{setting.text['en']} ({setting.variable}{default})",
        group=_GROUPS[setting.section],
        metavar=setting.kind.sign or None,
        show_default=False,
    )
    kind = _type_of(setting)
    return _keyword(_argument(setting), Annotated[kind | None, parameter], default=None)


def _type_of(setting: Setting) -> Any:
    """Only shells that complete look at it: whatever it is, the text is read by the setting's own kind."""
    if setting.kind.is_flag:
        return bool
    if setting.kind is PATH:
        return Path
    literal: Any = Literal
    words = tuple(setting.kind.sign.split("|"))
    return literal[words] if len(words) > 1 else str


def _as_written(kind: type, tokens: Sequence[Token]) -> str:
    return tokens[0].value


def _argument(setting: Setting) -> str:
    """Apart from the names of the command's own arguments."""
    return f"setting_{setting.key}"


def _keyword(name: str, annotation: Any, *, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
