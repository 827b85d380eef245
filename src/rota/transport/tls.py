"""TLS as both doors speak it: which files, whether callers show a certificate, and what is refused at the start."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from rota.access.certificate import dns_names, not_after, read_certificate
from rota.life.clock import SystemClock
from rota.life.secret_file import check_private
from rota.model.errors import RefusesToStart

OFF, OPTIONAL, REQUIRED = "off", "optional", "required"
_ASKED = {OFF: ssl.CERT_NONE, OPTIONAL: ssl.CERT_OPTIONAL, REQUIRED: ssl.CERT_REQUIRED}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. `client_auth`: whether callers are asked for a certificate of an authority in `client_ca`."""

    cert: Path
    key: Path
    client_ca: Path | None = None
    client_auth: str = OFF

    @classmethod
    def of(
        cls, cert: Path | None, key: Path | None, client_ca: Path | None = None, client_auth: str = OFF
    ) -> TlsFiles | None:
        """None where no TLS is meant. Raises RefusesToStart (`bad_tls`) for half of a pair."""
        if cert is None and key is None:
            return None
        if cert is None or key is None:
            raise RefusesToStart("TLS needs both --tls-cert and --tls-key", code="bad_tls")
        return cls(cert, key, client_ca, client_auth)

    def context(self) -> ssl.SSLContext:
        """What a listener speaks from now on: TLS 1.2 or newer. Raises RefusesToStart (`bad_tls`)."""
        check_private(self.key, "TLS key", "bad_tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self.cert, self.key)
        except OSError as error:
            raise RefusesToStart(
                f"the certificate {self.cert} and key {self.key} cannot be used: {error}", code="bad_tls"
            ) from error
        self._check_time()
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except OSError as error:
                raise RefusesToStart(
                    f"the authority {self.client_ca} (--tls-client-ca) cannot be used: {error}", code="bad_tls"
                ) from error
            context.verify_mode = _ASKED[self.client_auth]
        return context

    @property
    def names(self) -> frozenset[str]:
        """The DNS names in the certificate; `*.` may stand before one."""
        try:
            return dns_names(read_certificate(self.cert))
        except (OSError, ValueError):
            return frozenset()

    def _check_time(self) -> None:
        try:
            end = not_after(read_certificate(self.cert))
        except (OSError, ValueError, IndexError):
            return  # it has been loaded, so it is a certificate; who connects sees to its time
        if end.timestamp() * 1_000_000 < SystemClock().now():
            raise RefusesToStart(
                f"the certificate {self.cert} expired on {end:%Y-%m-%d}: nobody would connect; renew it", code="bad_tls"
            )
