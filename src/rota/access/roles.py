"""Roles: what a token allows. A token may carry several."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    """Reads."""
    CLIENT = "client"
    """Submits; reads, waits for and cancels tasks."""
    WORKER = "worker"
    """Registers, takes tasks and reports."""
    OPERATOR = "operator"
    """All that a client may, and what concerns the house: pausing, draining."""
    ADMIN = "admin"
    """Everything."""
    NODE = "node"
    """Another node of the same house."""


ALL_ROLES: frozenset[str] = frozenset(role.value for role in Role)
