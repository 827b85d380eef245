"""Finds what `module:app` names, for `rota worker` and `rota node --app`.

Every module is tried before anything is said, so that all that is wrong is told at once, each with file and line.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast

from rota.config.spelling import did_you_mean
from rota.model.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from rota.house.handlers import Offers

FORM = "write module:name, as in myproject.tasks:app"


def load_apps(targets: Sequence[str]) -> list[Offers]:
    """Apps by `module:app`. Raises InvalidInput for all that is wrong."""
    return [offers(target, thing) for target, thing in zip(targets, load(targets), strict=True)]


def offers(target: str, thing: object) -> Offers:
    """What was loaded, if it has handlers to give. Raises InvalidInput."""
    if not hasattr(thing, "add_to"):
        kind = type(thing).__qualname__
        raise InvalidInput.at(
            target, "no_app", f"a {kind} has no handlers to give; name an App, as in app = rota.App()"
        )
    return cast("Offers", thing)


def load(targets: Sequence[str]) -> list[object]:
    """The objects that `module:name` name, in order. Raises InvalidInput with every target that cannot be loaded."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    faults: list[Fault] = []
    found: list[object] = []
    for target in targets:
        try:
            found.append(_load_one(target))
        except InvalidInput as error:
            faults.extend(error.errors)
    if faults:
        raise InvalidInput.all_of(faults)
    return found


def check_target(target: str) -> tuple[str, str]:
    """The module and the name that it says. Raises InvalidInput where it says none."""
    module_name, colon, name = target.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module_name.split("."), *name.split(".")]):
        raise InvalidInput.at(target, "bad_target", f"this names no object in a module; {FORM}")
    return module_name, name


def _load_one(target: str) -> object:
    module_name, name = check_target(target)
    thing: object = _module(module_name, target)
    for part in name.split("."):
        if not hasattr(thing, part):
            known = [word for word in dir(thing) if not word.startswith("_")]
            raise InvalidInput.at(target, "no_such_name", f"{module_name} has no {name}{did_you_mean(name, known)}")
        thing = getattr(thing, part)
    return thing


def _module(name: str, target: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            words = f"there is no module {error.name}; it is looked for in {os.getcwd()} and where Python looks"
            raise InvalidInput.at(target, "no_such_module", words) from None
        raise _broken(target, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(target, error) from error


def _broken(target: str, error: BaseException) -> InvalidInput:
    words = f"{place_of(error)}: {type(error).__name__}: {error}"
    return InvalidInput.at(target, "import_failed", words)


def place_of(error: BaseException) -> str:
    """`file:line` of where an import broke: in the text for a SyntaxError, else the innermost frame of the user's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
    own = [f for f in frames if f.filename.startswith(os.getcwd() + os.sep) and "site-packages" not in f.filename]
    last = next(iter([*own[-1:], *frames[-1:]]), None)
    return f"{last.filename}:{last.lineno}" if last else "unknown place"


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<frozen") or filename in (__file__, importlib.__file__)
