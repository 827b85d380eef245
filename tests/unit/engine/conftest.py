"""The engine's kit, for every test of this folder."""

from engine_kit import rig

__all__ = ["rig"]
