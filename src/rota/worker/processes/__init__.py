"""Handlers in processes of their own, where they can be killed, bounded in memory, and crash alone."""

inside = False
"""This is a child of a worker: no worker may be started here."""
