"""A device's state in Chinese: ``on at 60 percent`` → ``开着，60%``."""

from __future__ import annotations

import re

STATES = {
    "on": "开着", "off": "关着", "open": "开着", "closed": "关着", "locked": "已锁",
    "unlocked": "未锁", "opening": "正在打开", "closing": "正在关闭", "heat": "制热",
    "cool": "制冷", "auto": "自动", "dry": "除湿", "fan_only": "送风", "fan only": "送风",
    "docked": "在基座上", "cleaning": "正在清扫", "returning": "正在返回基座",
    "armed_away": "离家布防", "armed_home": "在家布防", "armed_night": "夜间布防",
    "disarmed": "未布防", "arming": "正在布防", "pending": "正在布防", "stopped": "已停下",
    "jammed": "卡住了", "detected": "有", "clear": "没有", "wet": "湿", "motion": "有人",
}  # fmt: skip
_PARTS = (
    (re.compile(r"(.+) at ([\d.]+) percent"), "{}，{}%"),
    (re.compile(r"set to ([\d.]+) degrees"), "设为{}度"),
    (re.compile(r"now at ([\d.]+) degrees"), "现在{}度"),
    (re.compile(r"set to ([\d.]+) percent"), "设为{}%"),
    (re.compile(r"now at ([\d.]+) percent"), "现在{}%"),
    (re.compile(r"([\d.-]+) degrees"), "{}度"),
    (re.compile(r"([\d.-]+) percent"), "{}%"),
)


def state_words(state: str) -> str:
    """Each part of a told state; what is not known stays as the device says it."""
    return "，".join(_part(part) for part in state.split(", "))


def known(state: str) -> bool:
    """Whether it is told in words of ours, without ``是`` before it; numbers are not."""
    words = state_words(state)
    return words != state and not words[0].isascii()


def _part(part: str) -> str:
    part = part.replace("_", " ")
    word = STATES.get(part) or STATES.get(part.removeprefix("on "))
    if word is not None:
        return word
    for pattern, said in _PARTS:
        found = pattern.fullmatch(part)
        if found is not None:
            return said.format(*(STATES.get(group, group) for group in found.groups()))
    return part
