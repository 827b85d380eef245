"""`rota version`."""

from __future__ import annotations

import platform

from rota import __version__
from rota.cli.command import plain
from rota.cli.output import Output


@plain
def version(out: Output) -> int:
    """Print the versions of Rota and Python."""
    if out.json:
        out.value({"rota": __version__, "python": platform.python_version(), "platform": platform.platform()})
    else:
        out.say(f"Rota {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
    return 0
