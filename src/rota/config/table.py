"""The table of settings for the docs, made from the definitions."""

from __future__ import annotations

from rota.config.sections import SECTIONS, settings_in
from rota.config.setting import Language, Setting

_HEADS: dict[Language, tuple[str, ...]] = {
    "en": ("key", "flag", "variable", "value", "default", "what it is for"),
    "zh": ("键", "命令行参数", "环境变量", "取值", "默认值", "用途"),
}


def settings_table(lang: Language = "en") -> str:
    """Markdown: one table a section of the configuration file."""
    return "\n".join(f"## [{section}]\n\n{_table(settings_in(section), lang)}" for section in SECTIONS)


def _table(settings: tuple[Setting, ...], lang: Language) -> str:
    heads = _HEADS[lang]
    lines = [_row(heads), _row(("---",) * len(heads)), *(_row(_cells(s, lang)) for s in settings)]
    return "\n".join(lines) + "\n"


def _cells(setting: Setting, lang: Language) -> tuple[str, ...]:
    nowhere = "–"
    return (
        nowhere if setting.secret else f"`{setting.key}`",
        nowhere if setting.secret else f"`{setting.flag}`",
        f"`{setting.variable}`",
        setting.kind.name,
        setting.shown or nowhere,
        setting.text[lang],
    )


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
