"""What the exit codes mean, and which error leads to which: the one place that says so."""

from __future__ import annotations

from rota.model.errors import CannotConnect, InvalidInput, RefusesToStart, RotaError

OK = 0
FAILURE = 1
BAD_ARGUMENTS = 2
CANNOT_CONNECT = 3
REFUSES_TO_START = 78
INTERRUPTED = 130
CLOSED_PIPE = 141

_CODES: tuple[tuple[type[RotaError], int], ...] = (
    (InvalidInput, BAD_ARGUMENTS),
    (CannotConnect, CANNOT_CONNECT),
    (RefusesToStart, REFUSES_TO_START),
)


_NOT_NOW = frozenset(
    {
        "port_in_use",
        "cannot_bind",
        "bad_data_dir",
        "store_locked",
        "store_unwritable",
        "store_corrupt",
        "schema_newer",
    }
)
"""A start that failed on the state of the machine, not on what was configured: the same command may work later."""


def exit_code(error: RotaError) -> int:
    """The code of the first kind that fits; any other error is a failure."""
    if error.code in _NOT_NOW:
        return FAILURE
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILURE)
