"""What may be said about an outcome in Chinese: one or two short sentences, all of them true.

Facts are read as the English replies read them (``replies``). Numbers stay digits: these are shown,
and no speech model of ours speaks Chinese yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.language.outcome import DeviceResult, Outcome
from services.language.replies_states import sort_out
from services.language.reply_facts import LISTED, places
from services.language.states_zh_cn import STATES, known, state_words

Replies = tuple[str, ...]
Facts = Mapping[str, str | int]

_ERRORS: Mapping[str, str] = {
    "not_understood": "对不起，我没听懂",
    "cancelled": "好的，已取消",
    "no_device": "我找不到这个设备",
    "no_area": "我不知道这个房间",
    "no_floor": "我不知道这个楼层",
    "no_device_in_area": "这个房间里没有这样的设备",
    "no_device_on_floor": "这个楼层没有这样的设备",
    "too_broad": "一次太多了，请说出房间或设备",
    "one_at_a_time": "我什么都没做，请一次说一件事",
    "no_timer": "没有计时器在运行",
    "offline": "现在连不上家里的设备",
    "unsupported": "对不起，这个我做不到",
    "ambiguous": "你说的是哪一个",
    "unsure": "你是这个意思吗",
    "no_alarm": "没有设闹钟",
    "no_reminder": "没有这个提醒",
    "no_reminders": "没有设提醒",
    "nothing_rings": "现在没有响铃",
    "nothing_said": "我还没有说过话",
    "zero_divisor": "不能除以零",
    "too_large": "这个数太大了",
    "time_is_over": "今天这个时间已经过了",
    "clock_not_set": "我还不知道现在几点",
    "left_alone": "好的，保持原样",
    "too_late": "太晚了，保持原样",
    "home_changed": "情况已经变了，保持原样",
    "nothing_asked": "没有需要确认的事",
    "cannot_undo": "这个无法撤销",
    "nothing_to_undo": "没有可以撤销的操作",
    "which_timer": "你说的是哪个计时器",
    "which_alarm": "你说的是哪个闹钟",
    "which_reminder": "你说的是哪个提醒",
}
_FATES = {
    "timeout": "没有回应", "unavailable": "不在线", "rejected": "拒绝了",
    "sent": "已收到指令，但无法确认",
}  # fmt: skip
_UNDERWAY = frozenset({"opening", "closing", "returning", "arming", "pending"})
_TURNED = {
    ("HassTurnOn", "cover"): "已打开", ("HassTurnOff", "cover"): "已关闭",
    ("HassTurnOn", "valve"): "已打开", ("HassTurnOff", "valve"): "已关闭",
    ("HassTurnOn", "lock"): "已上锁", ("HassTurnOff", "lock"): "已解锁",
    ("HassTurnOn", "vacuum"): "开始清扫", ("HassTurnOff", "vacuum"): "返回基座",
}  # fmt: skip
_DONE: Mapping[str, str] = {
    "HassTurnOn": "已打开", "HassTurnOff": "已关闭", "HassStopMoving": "已停下",
    "HassVacuumStart": "开始清扫", "HassVacuumReturnToBase": "返回基座", "LinnetUndo": "已恢复原样",
    "LinnetArm": "已布防",
}  # fmt: skip
_ADJUSTED: Mapping[tuple[object, object], str] = {
    ("brightness", "up"): "已调亮", ("brightness", "down"): "已调暗",
    ("temperature", "up"): "温度已调高", ("temperature", "down"): "温度已调低",
    ("position", "up"): "已开大", ("position", "down"): "已关小",
    ("speed", "up"): "风速已调高", ("speed", "down"): "风速已调低",
    ("humidity", "up"): "湿度已调高", ("humidity", "down"): "湿度已调低",
}  # fmt: skip
_VALUES: Mapping[str, tuple[str, str]] = {
    "brightness": ("亮度已设为", "%"), "color": ("颜色已设为", ""), "position": ("已开到", "%"),
    "percentage": ("风速已设为", "%"), "humidity": ("湿度已设为", "%"), "mode": ("模式已设为", ""),
    "fan_mode": ("风速已设为", ""), "value": ("已设为", ""), "option": ("已设为", ""),
}  # fmt: skip
_COLORS = {
    "white": "白色", "warm white": "暖白色", "red": "红色", "orange": "橙色", "yellow": "黄色",
    "lime": "黄绿色", "green": "绿色", "turquoise": "青绿色", "teal": "蓝绿色", "cyan": "青色",
    "blue": "蓝色", "indigo": "靛蓝色", "navy": "藏青色", "violet": "紫罗兰色", "purple": "紫色",
    "magenta": "品红色", "pink": "粉色", "gold": "金色", "brown": "棕色",
}  # fmt: skip
_VERBS = {
    "unlock": "解锁", "open": "打开", "sound": "拉响", "turn on": "打开", "turn off": "关闭",
    "change": "更改",
}  # fmt: skip
_DAYS = {"mon": "一", "tue": "二", "wed": "三", "thu": "四", "fri": "五", "sat": "六", "sun": "日"}
_UNITS = ((3600, "小时"), (60, "分钟"), (1, "秒"))


def replies(outcome: Outcome) -> Replies:
    """The allowed replies, the plainest first; never empty."""
    told = _held(outcome)
    if told:
        return ("，".join(told),)
    if outcome.error is not None:
        return (_ERRORS.get(outcome.error, _ERRORS["unsupported"]),)
    teller = _TELLERS.get(outcome.call.name)
    return (teller(outcome.facts) if teller else _devices(outcome),)


def duration(seconds: int) -> str:
    """``3900`` → ``1小时5分钟``."""
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0秒"


# --- devices -----------------------------------------------------------------------------------


def _devices(outcome: Outcome) -> str:
    if not outcome.results:
        return _ERRORS["no_device"]
    if outcome.call.name in ("HassGetState", "HassClimateGetTemperature"):
        several = len(outcome.results) > 1 and "state" in outcome.call.args
        return _several(outcome) if several else _all_asked(outcome.results)
    return "，".join(_each(outcome))


def _all_asked(results: Sequence[DeviceResult]) -> str:
    told = [_asked(result) for result in results[:LISTED]]
    more = len(results) - len(told)
    return "，".join([*told, f"还有{more}个"] if more else told)


def _asked(result: DeviceResult) -> str:
    if result.status != "confirmed":
        return f"{result.name}{_FATES[result.status]}"
    if not result.state:
        return f"我不知道{result.name}的状态"
    return f"{result.name}{'' if known(result.state) else '是'}{state_words(result.state)}"


def _several(outcome: Outcome) -> str:
    """How many are as was asked, by name while few; what is not known is told beside."""
    found, state = sort_out(outcome), state_words(str(outcome.call.args["state"]))
    told = []
    if found.known and not found.so:
        told.append(f"没有一个{state}")
    elif not found.otherwise and not found.unknown:
        told.append(f"{found.known}个全都{state}")
    elif found.known:
        counted = f"{found.known}个里有{len(found.so)}个"
        names = [result.name for result in found.so]
        told.append(f"{'、'.join(names) if len(names) <= LISTED else counted}{state}")
    if found.unknown:
        told.append(f"我不知道{_names([result.name for result in found.unknown])}的状态")
    return "，".join(told)


def _each(outcome: Outcome) -> list[str]:
    """Each fate once, with the names, or the count where there are many."""
    groups: dict[str, list[str]] = {}
    for result in outcome.results:
        confirmed = result.status == "confirmed"
        fate = _wanted(outcome, result) if confirmed else _FATES[result.status]
        groups.setdefault(fate, []).append(result.name)
    return [f"{_names(names)}{fate}" for fate, names in groups.items()]


def _names(names: Sequence[str]) -> str:
    return "、".join(names) if len(names) <= LISTED else f"{len(names)}个设备"


def _wanted(outcome: Outcome, result: DeviceResult) -> str:
    call, domain = outcome.call, result.entity_id.partition(".")[0]
    if result.state in _UNDERWAY:
        return STATES[str(result.state)]
    told = _TURNED.get((call.name, domain)) or _DONE.get(call.name)
    told = told or _ADJUSTED.get((call.args.get("quantity"), call.args.get("direction")))
    if told is not None:
        return told
    args = call.args
    if "temperature" in args:
        kelvin = call.name == "HassLightSet"
        return f"{'色温' if kelvin else '温度'}已设为{args['temperature']}{'K' if kelvin else '度'}"
    for key, (head, unit) in _VALUES.items():
        if key in args:
            value = str(args[key])
            said = _COLORS.get(value) if key == "color" else STATES.get(value)
            return f"{head}{said or value}{unit}"
    return "好了"


def _held(outcome: Outcome) -> list[str]:
    """What was held back, after what was done nevertheless; empty where nothing was."""
    facts, told = outcome.facts, []
    if outcome.error not in (
        None,
        "needs_confirmation",
        "not_by_voice",
        "too_fast",
        "state_unknown",
    ):
        return []
    if outcome.error is None and "left" not in facts:
        return []
    if outcome.results:
        told += _each(outcome)
    if "left" in facts:
        told.append(f"{_listed(facts['left'])}无法恢复")
    if "too_fast" in facts:
        told.append(f"{_listed(facts['too_fast'])}刚才的指令太多了")
    if "unknown" in facts:
        told.append(f"我不知道{_listed(facts['unknown'])}现在的状态")
    if "disarm" in facts:
        told.append("我从不撤防")
    doing = "和".join(f"{v}{_listed(facts[k])}" for k, v in _VERBS.items() if k in facts)
    if outcome.error == "needs_confirmation" and doing:
        told.append(f"要{doing}吗" if "answer_s" in facts else f"没有你的确认，我不能{doing}")
    return told


def _listed(names: str | int) -> str:
    return "、".join(str(names).split(","))


# --- time and the rest -------------------------------------------------------------------------


def _timer(facts: Facts, place: str = "") -> str:
    name, seconds = facts.get(f"name{place}"), int(facts.get(f"duration_s{place}", 0))
    return f"{name or (duration(seconds) if seconds else '')}计时器"


def _left(facts: Facts, place: str = "") -> str:
    paused = "已暂停，" if f"paused{place}" in facts else ""
    left = duration(int(facts[f"remaining_s{place}"]))
    return f"{_timer(facts, place)}{paused}还剩{left}"


def _timers(facts: Facts) -> str:
    if "count" in facts:
        each = [_left(facts, f"_{n}") for n in places(facts)]
        return "，".join([f"有{facts['count']}个计时器", *each])
    return _left(facts) if "remaining_s" in facts else _ERRORS["no_timer"]


def _started(facts: Facts) -> str:
    return f"{facts.get('name', '')}计时器已设为{duration(int(facts.get('duration_s', 0)))}"


def _changed(facts: Facts) -> str:
    left = int(facts["remaining_s"])
    return f"{_timer(facts)}还剩{duration(left)}" if left else f"{_timer(facts)}结束了"


def _at(facts: Facts, place: str = "") -> str:
    days = str(facts.get(f"days{place}", ""))
    repeated = "每周" + "、".join(_DAYS.get(d, "") for d in days.split(",")) if days else ""
    return f"{repeated or _day(str(facts.get(f'day{place}', '')))}{facts[f'time{place}']}"


def _day(day: str) -> str:
    """``monday`` → 周一; empty for other words."""
    if day in ("today", "tomorrow"):
        return "今天" if day == "today" else "明天"
    return f"周{_DAYS[day[:3]]}" if day[:3] in _DAYS else ""


def _alarms(facts: Facts) -> str:
    if "count" not in facts:
        return f"闹钟定在{_at(facts)}"
    return "，".join([f"有{facts['count']}个闹钟", *(_at(facts, f"_{n}") for n in places(facts))])


def _reminded(facts: Facts) -> str:
    if "duration_s" in facts:
        return f"好的，{duration(int(facts['duration_s']))}后提醒你"
    return f"好的，{_at(facts)}提醒你"


def _reminders(facts: Facts) -> str:
    told = [f"有{facts['count']}个提醒"]
    for n in places(facts):
        left_s = facts.get(f"remaining_s_{n}")
        when = _at(facts, f"_{n}") if left_s is None else f"{duration(int(left_s))}后"
        told.append(f"{when}{facts.get(f'text_{n}', '')}")
    return "，".join(told)


def _rung(facts: Facts) -> str:
    late = "（迟了）" if facts.keys() & {"late", "missed"} else ""
    kind = str(facts["kind"])
    if kind == "timer":
        return f"{_timer(facts)}到时间了{late}"
    if kind == "reminder":
        return f"提醒：{facts.get('text', '')}{late}"
    return f"闹钟：{facts.get('time', '')}{late}"


def _fact(key: str, head: str, unknown: str) -> Callable[[Facts], str]:
    return lambda facts: f"{head}{facts[key]}" if key in facts else unknown


_TELLERS: Mapping[str, Callable[[Facts], str]] = {
    "HassStartTimer": _started,
    "HassCancelTimer": lambda f: f"{_timer(f)}已取消",
    "HassCancelAllTimers": lambda f: f"{f['count']}个计时器已取消",
    "HassIncreaseTimer": _changed,
    "HassDecreaseTimer": _changed,
    "HassPauseTimer": lambda f: f"{_timer(f)}已暂停，还剩{duration(int(f['remaining_s']))}",
    "HassUnpauseTimer": lambda f: f"{_timer(f)}继续，还剩{duration(int(f['remaining_s']))}",
    "HassTimerStatus": _timers,
    "HassGetCurrentTime": _fact("time", "现在是", "我不知道现在几点"),
    "HassGetCurrentDate": _fact("date", "今天是", "我不知道今天几号"),
    "LinnetDayOfWeek": _fact("date", "今天是", "我不知道今天几号"),
    "HassSetVolume": lambda f: f"音量是{f['level']}%",
    "HassSetVolumeRelative": lambda f: f"音量是{f['level']}%",
    "HassMediaPlayerMute": lambda f: "我已静音，但还在听，说“大声点”或输入“取消静音”就能恢复",
    "HassMediaPlayerUnmute": lambda f: f"声音已恢复，音量是{f['level']}%",
    "LinnetMicrophone": lambda f: "麦克风只能用静音开关来关闭和打开，因为关闭后我听不到你说话",
    "LinnetSetAlarm": lambda f: f"闹钟已设在{_at(f)}",
    "LinnetCancelAlarm": lambda f: f"{_at(f)}的闹钟已取消" if "time" in f else "闹钟已关闭",
    "LinnetAlarmStatus": _alarms,
    "LinnetReminder": _reminded,
    "LinnetReminderStatus": _reminders,
    "LinnetCancelReminder": lambda f: f"提醒{f.get('text', '')}已取消",
    "LinnetSnooze": lambda f: f"好的，{duration(int(f['duration_s']))}后再响",
    "LinnetArithmetic": lambda f: f"{'大约' if 'rounded' in f else ''}等于{f['value']}",
    "LinnetRepeat": lambda f: str(f.get("text", "")) or "我什么也没说",
    "LinnetStop": lambda f: "好的",
    "LinnetRing": _rung,
    "HassNevermind": lambda f: "好的",
}
TOLD = frozenset(_TELLERS)
"""Calls that are told from their facts; all others from their devices."""
