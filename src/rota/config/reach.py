"""How to reach a node: what clients and workers say alike."""

# ruff: noqa: RUF009  (`setting` makes a dataclass field, as dataclasses.field does)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rota.config.kind import LIST, PATH, TEXT
from rota.config.secret import token_of
from rota.config.setting import setting
from rota.model.errors import Fault

if TYPE_CHECKING:
    from rota.client.tls import Tls

DEFAULT_URLS = ("http://127.0.0.1:8080",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachSettings:
    """An address, and the token to show there."""

    url: tuple[str, ...] = setting(
        DEFAULT_URLS,
        LIST,
        "Address of a node, or of several separated by commas; the first that answers is used.",
        "节点地址,可用逗号分隔多个;使用最先应答的一个。",
    )
    token: str | None = setting(
        None,
        TEXT,
        "The token to show, where the node asks for one. Only as a variable: a command line is seen by others.",
        "节点要求令牌时出示的令牌。只能用环境变量给出:命令行会被他人看到。",
        secret=True,
    )
    token_file: Path | None = setting(
        None,
        PATH,
        "A file that holds the token and that others cannot read.",
        "存放令牌的文件,其他用户不可读。",
    )
    tls_ca: Path | None = setting(
        None,
        PATH,
        "Certificates of the authorities that vouch for a node, PEM.",
        "为节点作证的证书颁发机构的证书,PEM 格式。",
        shown="the system's",
    )
    tls_client_cert: Path | None = setting(
        None,
        PATH,
        "The certificate to show to a node that asks for one, PEM, with its chain.",
        "节点要求时出示的客户端证书(含证书链),PEM 格式。",
    )
    tls_client_key: Path | None = setting(
        None,
        PATH,
        "The private key of that certificate, PEM.",
        "该证书的私钥,PEM 格式。",
    )

    def secret(self) -> str | None:
        """The token, from wherever it was given. Raises RefusesToStart for a file that cannot be trusted."""
        return token_of(self.token, self.token_file)

    def tls(self) -> Tls:
        """Whom to trust, and what to show."""
        from rota.client.tls import Tls

        return Tls(self.tls_ca, self.tls_client_cert, self.tls_client_key)

    def reach_faults(self) -> list[Fault]:
        """What does not fit together."""
        found = url_faults(self.url)
        if (self.tls_client_cert is None) != (self.tls_client_key is None):
            missing = "tls_client_key" if self.tls_client_key is None else "tls_client_cert"
            text = "tls_client_cert and tls_client_key go together: give both, or neither"
            found.append(Fault(missing, "tls_half", text))
        return found


def url_faults(urls: tuple[str, ...]) -> list[Fault]:
    """Each address that no node can have."""
    if not urls:
        return [Fault("url", "bad_url", "no address is given; write one, as in http://127.0.0.1:8080")]
    return [Fault("url", "bad_url", problem) for url in urls if (problem := _problem_of(url))]


def _problem_of(url: str) -> str:
    form = "write http://host:8080 or https://host:8080"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"an address cannot be read ({error}); {form}"
    if parts.username or parts.password:
        return f"an address holds a password, which others can see; {form}, and give the token by ROTA_TOKEN"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"{url!r} is no address of a node; {form}"
    if parts.query or parts.fragment:
        return f"{url!r} has a part after ? or #; {form}"
    return ""
