"""The words of the status page, in English and Chinese."""

from __future__ import annotations

ENGLISH = {
    "lang": "en",
    "title": "Rota node",
    "api": "HTTP API",
    "metrics": "Metrics",
    "mode": "Mode",
    "store": "Store",
    "durability": "Durability",
    "data": "Data",
    "uptime": "Up for",
    "version": "Version",
    "tasks": "Tasks",
    "unended": "not ended",
    "rates": "Right now",
    "submit_rate": "submitted / s",
    "finish_rate": "finished / s",
    "since": "Since the start",
    "submitted": "submitted",
    "finished": "finished",
    "failed": "failed",
    "rescued": "rescued",
    "workers": "Workers",
    "clients": "clients",
    "none": "No worker is connected. Start one: rota worker module:app",
    "name": "Name",
    "application": "Application",
    "host": "Host",
    "slots": "Running / slots",
    "in_hand": "In hand",
    "done": "Finished",
    "seen": "Last heard",
    "methods": "Methods",
    "draining": "draining",
    "ago": "{} ago",
    "more": "and {} more",
    "waiting": "waiting",
    "scheduled": "scheduled",
    "ready": "ready",
    "running": "running",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "expired": "expired",
}
CHINESE = {
    "lang": "zh-CN",
    "title": "Rota 节点",
    "api": "HTTP 接口",
    "metrics": "指标",
    "mode": "模式",
    "store": "存储",
    "durability": "持久性",
    "data": "数据目录",
    "uptime": "已运行",
    "version": "版本",
    "tasks": "任务",
    "unended": "未结束",
    "rates": "当前速率",
    "submit_rate": "提交／秒",
    "finish_rate": "完成／秒",
    "since": "启动以来",
    "submitted": "已提交",
    "finished": "已结束",
    "failed": "失败",
    "rescued": "已救回",
    "workers": "执行器",
    "clients": "客户端",
    "none": "没有执行器连接。启动一个：rota worker module:app",
    "name": "名称",
    "application": "应用",
    "host": "主机",
    "slots": "运行中／槽位",
    "in_hand": "在手",
    "done": "已完成",
    "seen": "最近心跳",
    "methods": "方法",
    "draining": "正在退出",
    "ago": "{}前",
    "more": "另有 {} 个",
    "waiting": "等待前序",
    "scheduled": "已排期",
    "ready": "就绪",
    "running": "运行中",
    "succeeded": "成功",
    "cancelled": "已取消",
    "expired": "已过期",
}


def words_for(accept_language: str) -> dict[str, str]:
    """Chinese where the browser prefers it to English, else English."""
    best, found = 0.0, ENGLISH
    for part in accept_language.split(","):
        tag, _, quality = part.strip().lower().partition(";q=")
        words = CHINESE if tag.startswith("zh") else ENGLISH if tag.startswith(("en", "*")) else None
        if words is not None and (weight := _weight(quality)) > best:
            best, found = weight, words
    return found


def _weight(quality: str) -> float:
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0
