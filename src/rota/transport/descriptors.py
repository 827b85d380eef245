"""File descriptors: how many this process may open, and how many connections that leaves room for."""

from __future__ import annotations

import logging

RESERVE = 64
"""Kept for the store, the log, the loop and the other doors."""
FEWEST = 16
_logger = logging.getLogger("rota.transport")


def raise_limit() -> int | None:
    """Lifts the soft limit of open files to the hard one. Answers what holds then; None where there is no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            _logger.info("the limit of open files stays at %d: %s", soft, error)
    return None if soft == resource.RLIM_INFINITY else soft


def room_for_connections(wanted: int) -> int:
    """`wanted`, or what the limit of open files leaves; then the log says so."""
    files = raise_limit()
    if files is None or files - RESERVE >= wanted:
        return wanted
    room = max(FEWEST, files - RESERVE)
    _logger.warning(
        "this process may open %d files, which leaves room for %d connections instead of %d: "
        "raise the limit (LimitNOFILE= in the service, or ulimit -n %d)",
        files,
        room,
        wanted,
        wanted + RESERVE,
    )
    return room
