"""The commands of `rota`, each imported only when it is asked for. What a command does is said by its own docstring."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from rota import __version__
from rota.cli.help import HelpPage
from rota.cli.table import COMMANDS, GROUPS, Command, Family

_EPILOGUE = """\
Addresses
  --url http://HOST:PORT, or the variable ROTA_URL; several with commas. Nothing
  said is http://127.0.0.1:8080. A token comes from ROTA_TOKEN or --token-file.

Settings
  Each is a flag, a variable ROTA_…, or a line in a TOML file (--config); a flag
  wins over a variable, a variable over the file.
  DURATION is 500ms, 30s, 5m, 1h30m or 7d; a bare number is seconds.
  SIZE is 64KiB, 1MiB or 10MB; a bare number is bytes.

Machines
  --json prints a JSON value a line; errors go to stderr, as JSON too.

Exit codes
    0  well                               3  no node could be reached
    1  it failed, or a task did          78  refuses to start: unsafe or wrong
    2  wrong arguments                  130  stopped by Ctrl-C
                                        141  nobody reads the output any more

rota COMMAND --help says more, with examples."""
_MORE = "More: rota --help (addresses, settings, exit codes)."

app = App(
    name="rota",
    help="Run Python functions later and elsewhere: nodes keep tasks, workers run them.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    help_formatter=HelpPage(),
    usage="Usage: rota COMMAND [OPTIONS]",
    version=__version__,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(show_default=False),
    group_arguments=Group("Arguments", sort_key=-2),
    group_parameters=Group("Options", sort_key=-1),
)
_FLAGS = Group("Options", sort_key=9)


def _explain_flags(of: App) -> None:
    for flag, words in {"--help": "Show help.", "--version": "Print the version of Rota."}.items():
        of[flag].group = _FLAGS
        of[flag].help = words


_explain_flags(app)


def _add(parent: App, each: Command, group: Group, place: int, *before: str) -> None:
    words = " ".join((*before, each.name))
    parent.command(
        each.path,
        name=each.name,
        group=group,
        sort_key=place,
        usage=f"Usage: rota {words} {each.usage}",
        help_epilogue=_epilogue(each.examples),
    )


def _add_family(family: Family, group: Group, place: int) -> None:
    commands = Group("Commands", sort_key=0)
    inner = App(
        name=family.name,
        help=family.summary,
        group=group,
        sort_key=place,
        usage=f"Usage: rota {family.name} [COMMAND] [OPTIONS]",
        group_commands=commands,
        help_epilogue=_epilogue(tuple(example for verb in family.verbs for example in verb.examples[:1])),
    )
    for number, verb in enumerate(family.verbs):
        _add(inner, verb, commands, number, family.name)
    app.command(inner)
    _explain_flags(inner)


def _epilogue(examples: tuple[str, ...]) -> str:
    return "\n".join(["Examples", *(f"  {line}" for line in examples), "", _MORE])


for _place, (_name, _commands) in enumerate(GROUPS.items()):
    _group = Group(_name, sort_key=_place)
    for _number, _each in enumerate(_commands):
        if isinstance(_each, Family):
            _add_family(_each, _group, _number)
        else:
            _add(app, _each, _group, _number)


def import_all() -> None:
    """For the list of all commands: each says by its docstring what it does."""
    for each in COMMANDS:
        app[each.name]


def import_verbs(name: str) -> None:
    """For the list of a family's commands."""
    family = next((each for each in COMMANDS if isinstance(each, Family) and each.name == name), None)
    for verb in family.verbs if family is not None else ():
        app[name][verb.name]
