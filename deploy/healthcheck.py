"""Whether the node in this container lives: exits with 0 or 1. Standard library only; asks /livez on loopback.

Where the node wants a certificate of everybody (ROTA_TLS_CLIENT_AUTH=required) it shows the one of ROTA_TLS_CLIENT_CERT and
ROTA_TLS_CLIENT_KEY; without those it can only see that somebody listens.
"""

import http.client
import os
import socket
import ssl
import sys

WITHIN = 3.0
"""Seconds."""


def said(name: str) -> str:
    return os.environ.get(f"ROTA_{name}", "")


def link_to(port: int) -> http.client.HTTPConnection:
    """The certificate is the node's own, for another name than this one: it is not checked here."""
    if not said("TLS_CERT"):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if said("TLS_CLIENT_CERT"):
        context.load_cert_chain(said("TLS_CLIENT_CERT"), said("TLS_CLIENT_KEY") or None)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=WITHIN, context=context)


def lives(port: int) -> bool:
    """Whether /livez answers well."""
    try:
        if said("TLS_CLIENT_AUTH") == "required" and not said("TLS_CLIENT_CERT"):
            socket.create_connection(("127.0.0.1", port), WITHIN).close()
            return True
        link = link_to(port)
        link.request("GET", "/livez")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(not lives(int(said("HTTP_PORT") or 8080)))
