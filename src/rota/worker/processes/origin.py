"""How a child process finds a handler: by the worker's own targets, by module and name, or, for an object, by pickle.

What a child could not find is refused when it is registered. A child starts afresh and imports; a function that exists
only in this process (a lambda, a function inside a function) is nowhere to be imported from.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

from rota.model.errors import InvalidInput
from rota.worker.processes.messages import Origin

HELP = "define it with a name at the top of a module, or use isolation='thread'"


def of_function(kind: str, name: str, version: int, fn: Callable[..., Any]) -> Origin:
    """Raises InvalidInput where a child could not find it."""
    module, qualname = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    if not module or not qualname:
        raise _lost(name, f"{fn!r} has no name")
    if "<" in qualname:
        raise _lost(name, f"{qualname} has no name at the top of its module")
    _check_main(name, module)
    try:
        found = look_up(module, qualname)
    except (ImportError, AttributeError):
        raise _lost(name, f"there is no {qualname} in {module}") from None
    if getattr(found, "fn", found) is not fn and inspect.unwrap(found) is not fn:
        raise _lost(name, f"{module}.{qualname} is another object")
    return Origin(kind, name, version, module, qualname)


def of_object(name: str, version: int, task: Any) -> Origin:
    """A class is made anew in each child, an object is copied. Raises InvalidInput."""
    if inspect.isclass(task):
        return of_function("object", name, version, task)
    try:
        pickled = pickle.dumps(task)
    except Exception as error:
        raise _lost(name, f"the object cannot be copied into it ({error}): register its class") from None
    _check_main(name, type(task).__module__)
    return Origin("object", name, version, type(task).__module__, "", pickled)


def look_up(module: str, qualname: str) -> Any:
    """Raises ImportError and AttributeError."""
    found = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def main_module() -> tuple[str, str]:
    """Name or path by which a child can import what is `__main__` here; both empty where it cannot."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return spec.name, ""
    path = getattr(main, "__file__", None)
    return ("", os.path.abspath(path)) if path and os.path.exists(path) else ("", "")


def _check_main(name: str, module: str) -> None:
    if module == "__main__" and main_module() == ("", ""):
        raise _lost(name, "it was typed in, and stands in no file")


def _lost(name: str, why: str) -> InvalidInput:
    return InvalidInput.at(name, "no_origin", f"a child process could not find this handler: {why}; {HELP}")
