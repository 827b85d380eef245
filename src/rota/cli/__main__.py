"""`python -m rota.cli`, for where the command `rota` is not on the path."""

from __future__ import annotations

from rota.cli.main import main

main()
