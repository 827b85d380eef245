"""How a client or worker trusts a node, and shows who it is: files in PEM, given or named by variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rota.model.errors import RefusesToStart

if TYPE_CHECKING:
    import ssl

    from rota.client.connection import Dial
    from rota.link.carrier import Carrier, Receiver

CA, CERT, KEY = "ROTA_TLS_CA", "ROTA_TLS_CLIENT_CERT", "ROTA_TLS_CLIENT_KEY"


@dataclass(frozen=True, slots=True)
class Tls:
    """None: `ca`: the system's authorities; `cert` and `key`: nothing is shown. They go together."""

    ca: Path | None = None
    """Certificates of the authorities that may vouch for a node."""
    cert: Path | None = None
    """The certificate to show, with its chain."""
    key: Path | None = None

    @classmethod
    def of_variables(cls) -> Tls:
        """As ROTA_TLS_CA, ROTA_TLS_CLIENT_CERT and ROTA_TLS_CLIENT_KEY say."""
        return cls(*(Path(said) if (said := os.environ.get(name)) else None for name in (CA, CERT, KEY)))

    @property
    def says_nothing(self) -> bool:
        return self.ca is None and self.cert is None and self.key is None

    def context(self) -> ssl.SSLContext:
        """Raises RefusesToStart (`bad_tls`) for files that cannot be used."""
        import ssl  # clients without TLS do not load it

        if (self.cert is None) != (self.key is None):
            raise RefusesToStart(
                "a client certificate and its key go together (tls_client_cert, tls_client_key): give both, or neither",
                code="bad_tls",
            )
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca is not None else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert is not None and self.key is not None:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (self.ca, self.cert, self.key) if path is not None)
            raise RefusesToStart(f"TLS cannot use {files}: {error}", code="bad_tls") from error
        return context


def tls_dial(tls: Tls | None) -> Dial | None:
    """Dials with these files, read at each dial, so that renewed ones count. None: nothing is said, by variables either."""
    said = tls if tls is not None else Tls.of_variables()
    if said.says_nothing:
        return None

    async def dial(url: str, token: str | None, receiver: Receiver) -> Carrier:
        from rota.client.websocket import dial_websocket

        return await dial_websocket(url, token, receiver, said.context())

    return dial
