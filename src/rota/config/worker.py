"""How a worker runs."""

# ruff: noqa: RUF009  (`setting` makes a dataclass field, as dataclasses.field does)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rota.config.kind import LIST, PATH, TEXT, choice, duration, size, whole
from rota.config.quantity import SECOND
from rota.config.reach import ReachSettings
from rota.config.setting import setting
from rota.model.errors import Fault, InvalidInput
from rota.model.names import check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(ReachSettings):
    """Durations are microseconds."""

    name: str | None = setting(
        None,
        TEXT,
        "The worker's name, for people.",
        "执行器的名称,供人辨认。",
        shown="host and process id",
    )
    group: tuple[str, ...] = setting(
        (),
        LIST,
        "Groups whose tasks it takes, separated by commas. It takes tasks without a group too.",
        "领取哪些分组的任务,用逗号分隔;不属于任何分组的任务也会领取。",
    )
    slots: int = setting(16, whole(1, 10_000), "How many handlers it runs at once.", "同时运行多少个处理函数。")
    weight: int = setting(
        1, whole(1, 1_000), "Its share of the work beside other workers.", "与其他执行器相比分担任务的权重。"
    )
    isolation: str = setting(
        "thread",
        choice("thread", "process"),
        "Where `def` handlers run that do not say it: in threads, or in processes that can be killed.",
        "未自行声明的 `def` 处理函数在哪里运行:线程,或可以被强制结束的进程。",
    )
    max_child_memory: int | None = setting(
        None,
        size("64MiB", "1024GiB"),
        "The most memory a child process may have: above it, it is killed; above 4/5 of it after a task, replaced.",
        "子进程最多可用的内存:运行中超出则强制结束;任务结束后超出其五分之四则更换。",
        shown="no limit",
    )
    max_tasks_per_child: int | None = setting(
        None,
        whole(1, 1_000_000_000),
        "After so many tasks a child process is replaced.",
        "子进程执行多少个任务后被更换。",
        shown="no limit",
    )
    seal_keys: str | None = setting(
        None,
        TEXT,
        "Keys that open sealed params, `KID KEY` a line. Only as a variable: a command line is seen by others.",
        "打开密封参数的密钥,每行一个 `KID KEY`。只能用环境变量给出:命令行会被他人看到。",
        secret=True,
    )
    seal_key_file: Path | None = setting(
        None,
        PATH,
        "A file of keys for sealed params, `KID KEY` a line, that others cannot read; the first seals, all open.",
        "存放密封参数所用密钥的文件,每行一个 `KID KEY`,其他用户不可读;第一个用于密封,全部可用于打开。",
    )
    shutdown_grace: int = setting(
        25 * SECOND,
        duration("0s", "24h"),
        "How long running handlers may go on after the worker is told to stop.",
        "收到停止信号后,运行中的处理函数最多再运行多久。",
    )
    log_level: str = setting(
        "info",
        choice("debug", "info", "warning", "error"),
        "The least level of the worker's own log.",
        "执行器自身日志的最低级别。",
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

    def faults(self) -> list[Fault]:
        """What does not fit together, or is not there yet."""
        found = self.reach_faults()
        for group in self.group:
            try:
                check_name(group, "group")
            except InvalidInput as error:
                found.extend(error.errors)
        return found
