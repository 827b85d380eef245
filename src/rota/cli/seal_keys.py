"""The seal keys that a command was given, made those of its process."""

from __future__ import annotations

from rota.config import WorkerSettings
from rota.life import keyring
from rota.model.errors import RefusesToStart, SealError


def use_seal_keys(settings: WorkerSettings) -> None:
    """Before anything is sealed or opened. Raises RefusesToStart (`bad_seal_key`) for keys that cannot be used."""
    try:
        given = keyring.keys_given(settings.seal_keys, settings.seal_key_file)
    except SealError as error:
        raise RefusesToStart(error.detail, code=error.code) from None
    if given is not None:
        keyring.use(given)
