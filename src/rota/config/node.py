"""How a node runs."""

# ruff: noqa: RUF009  (`setting` makes a dataclass field, as dataclasses.field does)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from rota.config.folder import default_data
from rota.config.kind import FLAG, LIST, PATH, TEXT, choice, duration, size, whole
from rota.config.quantity import SECOND, show_duration
from rota.config.setting import computed, setting
from rota.model.errors import Fault, InvalidInput
from rota.model.names import check_name

_FRAME_ROOM = 4 * 1024 * 1024 - 64 * 1024
"""A payload must fit into one frame of the link, with room for what stands around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Durations are microseconds, sizes are bytes."""

    host: str = setting(
        "127.0.0.1",
        TEXT,
        "Address to listen on. Any but a loopback address asks for a token, and for TLS or --behind-tls-proxy.",
        "监听地址。除回环地址外,都必须有令牌,并启用 TLS 或 --behind-tls-proxy。",
    )
    http_port: int = setting(
        8080,
        whole(0, 65_535),
        "Port for clients, workers, metrics and the status page; 0 takes any free one.",
        "供客户端、执行器、指标与状态页使用的端口;0 表示任取一个空闲端口。",
    )
    grpc_port: int = setting(
        50_051,
        whole(0, 65_535),
        "Port for gRPC clients and workers; 0 takes any free one.",
        "供 gRPC 客户端与执行器使用的端口;0 表示任取一个空闲端口。",
    )
    grpc: str = setting(
        "on",
        choice("on", "off"),
        "off: nothing listens for gRPC, and its library is not loaded.",
        "off:不监听 gRPC,也不加载其程序库。",
    )
    grpc_reflection: bool = setting(
        default=False,
        kind=FLAG,
        en="Tools such as grpcurl may ask the gRPC door what it offers; the roles that read may do so.",
        zh="允许 grpcurl 等工具向 gRPC 端口查询其接口;须有读取权限的角色。",
    )
    data: Path = computed(
        default_data,
        PATH,
        "Folder of the node's files: store, lock, tokens.",
        "节点文件所在目录:存储、锁、令牌。",
        shown="XDG data folder/rota; /var/lib/rota as root; ./.rota for `rota dev`",
    )
    store: str | None = setting(
        None,
        TEXT,
        "Where tasks are kept: sqlite:///PATH, or memory: (lost when the node ends).",
        "任务存放处:sqlite:///路径,或 memory:(节点退出即丢失)。",
        shown="sqlite, rota.db in the data folder",
    )
    durability: str = setting(
        "full",
        choice("full", "relaxed"),
        "full: an accepted task survives a power cut. relaxed: a power cut may take the last moments' tasks.",
        "full:已接受的任务断电不丢。relaxed:断电可能丢失最后片刻的任务。",
    )
    id: str | None = setting(
        None, TEXT, "The node's id.", "节点标识。", shown="made at the first start, kept in the data folder"
    )
    app: str | None = setting(
        None,
        TEXT,
        "module:app, whose handlers run beside the node, in its process.",
        "module:app,其处理函数在节点进程内一并运行。",
    )
    token: str | None = setting(
        None,
        TEXT,
        "The token that callers must show. Only as a variable: a command line is seen by others.",
        "调用者必须出示的令牌。只能用环境变量给出:命令行会被他人看到。",
        secret=True,
    )
    token_file: Path | None = setting(
        None,
        PATH,
        "A file of the tokens callers may show, `role[,role] TOKEN` or TOKEN a line, that others cannot read.",
        "存放调用者可出示之令牌的文件,每行为“角色[,角色] 令牌”或“令牌”,其他用户不可读。",
    )
    behind_tls_proxy: bool = setting(
        default=False,
        kind=FLAG,
        en="A proxy in front of the node speaks TLS with the outside.",
        zh="节点前有代理负责对外的 TLS。",
    )
    tls_cert: Path | None = setting(None, PATH, "Certificate chain, PEM.", "证书链,PEM 格式。")
    tls_key: Path | None = setting(
        None, PATH, "Private key of the certificate, PEM; others cannot read it.", "证书私钥,PEM 格式,其他用户不可读。"
    )
    tls_client_ca: Path | None = setting(
        None,
        PATH,
        "Authority, PEM, whose client certificates are good; the role stands in them as URI:rota://CLUSTER/role/ROLE.",
        "签发客户端证书的机构,PEM 格式;角色写在证书的 URI:rota://集群/role/角色 中。",
    )
    tls_client_auth: str = setting(
        "optional",
        choice("optional", "required"),
        "With tls_client_ca. optional: a certificate can stand in for a token (HTTP and links over it). required: nobody "
        "connects without one, gRPC included.",
        "与 tls_client_ca 合用。optional:证书可代替令牌(HTTP 及其上的长连接);required:无证书者一律不能连接,gRPC 亦然。",
    )
    cluster: str = setting(
        "rota",
        TEXT,
        "The name of the house, as client certificates have it.",
        "集群名称,与客户端证书中所写一致。",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        LIST,
        "Further names by which the node is called, `*.example.org` too. A request for another is refused.",
        "节点的其他可用名称,可写 `*.example.org`;以别的名称发来的请求会被拒绝。",
        shown="its host name, addresses, and the names in its certificate; behind a proxy any",
    )
    rate_limit: int = setting(
        0,
        whole(0, 1_000_000),
        "Requests a second that one token, and one address, may make over HTTP and gRPC; 0: no limit. What comes over a "
        "link is bounded by its credit.",
        "同一令牌、同一地址每秒可经 HTTP 与 gRPC 发出的请求数;0 表示不限。长连接上的请求由其信用额度约束。",
    )
    lease_ttl: int = setting(
        30 * SECOND,
        duration("1s", "1h"),
        "How long a worker's lease holds without a sign of life; at least 3 heartbeats.",
        "执行器无音讯时租约保持多久;至少为心跳间隔的 3 倍。",
    )
    closed_lease_ttl: int = setting(
        5 * SECOND,
        duration("100ms", "1h"),
        "How long it holds once the worker's link has closed.",
        "执行器连接断开后租约再保持多久。",
    )
    heartbeat: int = setting(
        10 * SECOND,
        duration("100ms", "20m"),
        "How often workers and clients give a sign of life.",
        "执行器与客户端多久报一次平安。",
    )
    result_ttl: int = setting(
        24 * 3600 * SECOND,
        duration("1s", "3650d"),
        "How long a succeeded task and its result are kept.",
        "成功的任务及其结果保留多久。",
    )
    failed_ttl: int = setting(
        30 * 24 * 3600 * SECOND,
        duration("1s", "3650d"),
        "How long a failed, cancelled or expired task is kept.",
        "失败、取消或过期的任务保留多久。",
    )
    keep_succeeded: int = setting(
        1_000_000,
        whole(0, 1_000_000_000),
        "How many succeeded tasks are kept at most; the oldest go first.",
        "最多保留多少个成功的任务;先清除最旧的。",
    )
    keep_audit: int = setting(
        100_000,
        whole(100, 100_000_000),
        "How many lines of the audit log are kept at most; the oldest go first.",
        "审计日志最多保留多少行;先清除最旧的。",
    )
    max_payload: int = setting(
        1024 * 1024,
        size("1KiB", f"{_FRAME_ROOM}"),
        "The largest params and the largest result of a task.",
        "任务参数与结果各自的最大长度。",
    )
    max_queued: int = setting(
        10_000_000,
        whole(1, 1_000_000_000),
        "High-water mark: with so many tasks not ended, new ones are refused (queue_full).",
        "高水位:未结束的任务达到此数时拒绝新任务(queue_full)。",
    )
    log_bytes: int = setting(
        10 * 1024 * 1024,
        size("0", "1GiB"),
        "How much log is kept a task; the rest is cut, with a mark.",
        "每个任务最多保留多少日志;超出部分截断并注明。",
    )
    max_connections: int = setting(
        10_000,
        whole(1, 1_000_000),
        "How many connections the node takes; fewer where the limit of open files leaves no room for them.",
        "节点最多接受多少个连接;若打开文件数的限制不够,则更少。",
    )
    max_connections_per_address: int = setting(
        5_000,
        whole(1, 1_000_000),
        "How many of them may come from one address (IPv6: one /64). Not counted behind a TLS proxy.",
        "其中同一地址(IPv6 为同一 /64)最多可占多少个。位于 TLS 代理之后时不计。",
    )
    handshake_timeout: int = setting(
        10 * SECOND,
        duration("100ms", "10m"),
        "How long a caller may take for a TLS handshake, the head of a request, and a link's Hello (5s at most).",
        "调用者完成 TLS 握手、发完请求头、发出连接的 Hello(最长 5s)各可用多久。",
    )
    idle_timeout: int = setting(
        60 * SECOND,
        duration("100ms", "1h"),
        "How long a connection without a link may be silent between two requests, or take for the body of one: longer while "
        "16 KiB a second of it come.",
        "非长连接在两次请求之间可静默多久,或一个请求体可传多久;只要每秒传来 16 KiB,请求体就可传得更久。",
    )
    shutdown_grace: int = setting(
        30 * SECOND,
        duration("0s", "24h"),
        "How long the node may take to stop in order.",
        "节点有序停止最多用多久。",
    )
    log_level: str = setting(
        "info",
        choice("debug", "info", "warning", "error"),
        "The least level of the node's own log.",
        "节点自身日志的最低级别。",
    )
    log_format: str = setting(
        "text",
        choice("text", "json"),
        "text for people, json for machines; the log goes to stderr.",
        "text 供人阅读,json 供机器处理;日志写到 stderr。",
    )
    otel: str = setting(
        "off",
        choice("off", "on"),
        "on: traces by OpenTelemetry, as the OTEL_* variables say; needs the extra rota[otel].",
        "on:按 OTEL_* 环境变量输出 OpenTelemetry 链路追踪;需安装附加组件 rota[otel]。",
    )

    @property
    def store_url(self) -> str:
        """The store, said or by default."""
        return self.store if self.store is not None else f"sqlite:///{quote(str(self.data.absolute() / 'rota.db'))}"

    @property
    def store_path(self) -> Path | None:
        """The file of a SQLite store; None for a store in memory."""
        if self.store_url == "memory:":
            return None
        return Path(unquote(urlsplit(self.store_url).path[1:])).absolute()

    def faults(self) -> list[Fault]:
        """What does not fit together, or is not there yet."""
        found = [*_lease_faults(self), *_store_faults(self.store), *_tls_faults(self)]
        if self.grpc == "on" and self.http_port and self.http_port == self.grpc_port:
            found.append(Fault("grpc_port", "same_port", f"http_port is {self.http_port} too; take another"))
        if self.id is not None:
            try:
                check_name(self.id, "id")
            except InvalidInput as error:
                found.extend(error.errors)
        return found


def _lease_faults(settings: NodeSettings) -> list[Fault]:
    found = []
    if settings.lease_ttl < 3 * settings.heartbeat:
        found.append(
            Fault(
                "lease_ttl",
                "lease_too_short",
                f"{show_duration(settings.lease_ttl)} is less than 3 heartbeats of {show_duration(settings.heartbeat)}, "
                f"so that one late heartbeat would lose tasks: raise it to {show_duration(3 * settings.heartbeat)}, "
                "or lower heartbeat",
            )
        )
    if settings.closed_lease_ttl > settings.lease_ttl:
        found.append(
            Fault(
                "closed_lease_ttl",
                "lease_too_long",
                f"{show_duration(settings.closed_lease_ttl)} is longer than lease_ttl, {show_duration(settings.lease_ttl)}",
            )
        )
    return found


def _store_faults(store: str | None) -> list[Fault]:
    if store is None or store == "memory:":
        return []
    scheme = urlsplit(store).scheme.partition("+")[0]
    if scheme in ("mysql", "mariadb", "postgresql", "postgres"):
        return [Fault("store", "not_yet", f"{scheme} comes with the cluster release; today write sqlite:///PATH")]
    if store.startswith("sqlite:///") and len(store) > len("sqlite:///"):
        return []
    return [
        Fault(
            "store",
            "bad_store",
            "no store is meant by this; write sqlite:///PATH (an absolute one has 4 slashes), or memory:",
        )
    ]


def _tls_faults(settings: NodeSettings) -> list[Fault]:
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        return [Fault("tls_client_ca", "tls_half", "client certificates need TLS: give tls_cert and tls_key too")]
    if (settings.tls_cert is None) == (settings.tls_key is None):
        return []
    missing = "tls_key" if settings.tls_key is None else "tls_cert"
    return [Fault(missing, "tls_half", "tls_cert and tls_key go together: give both, or neither")]
