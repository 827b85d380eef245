"""The seal keys that a command was given, made those of its process."""

from __future__ import annotations

from rota.config import WorkerSettings
from rota.life import keyring
from rota.model.errors import RefusesToStart, SealError


def use_seal_keys(settings: WorkerSettings) -> None:
    """Before anything is sealed or opened. Raises RefusesToStart (`bad_seal_key`) for keys that cannot be used."""
    if settings.seal_keys is not None and settings.seal_key_file is not None:
        raise RefusesToStart("both ROTA_SEAL_KEYS and a seal key file are given; take one away", code="bad_seal_key")
    try:
        if settings.seal_key_file is not None:
            keyring.use(keyring.read_key_file(settings.seal_key_file))
        elif settings.seal_keys is not None:
            keyring.use(keyring.read_keys(settings.seal_keys))
    except SealError as error:
        raise RefusesToStart(error.detail, code=error.code) from None
