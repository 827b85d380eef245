"""For tests of users' tasks: what `app.testing()` gives, and the clock it holds."""

from rota.face.testing import Testing
from rota.life.clock import ManualClock

__all__ = ["ManualClock", "Testing"]
