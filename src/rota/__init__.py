"""Rota: a distributed task scheduler and task manager for Python teams."""

__version__ = "0.1.0"
