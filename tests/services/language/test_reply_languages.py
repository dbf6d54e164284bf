"""Replies by language: Chinese is complete, other languages fall back on English."""

from __future__ import annotations

import random
import re

import pytest

from services.home.simulated_view import simulated_view
from services.language.calls import Call
from services.language.functions import FUNCTIONS
from services.language.outcome import DeviceResult, Outcome
from services.language.outcome_sample import corpus
from services.language.replies import replies
from services.language.replies_zh_cn import _ERRORS, TOLD, duration
from services.language.reply_languages import replies_in

LAMP = DeviceResult("light.a", "台灯", "confirmed", "on")


def chinese(outcome: Outcome) -> str:
    return replies_in("zh-CN", outcome)[0]


def test_every_outcome_has_a_chinese_reply() -> None:
    rng, home = random.Random(1), simulated_view()
    for _ in range(500):
        outcome = corpus(rng, home)
        if outcome.call.name != "LinnetRepeat":
            assert re.search(r"[\u4e00-\u9fff]", chinese(outcome))


def test_every_function_is_told_from_its_facts_or_its_devices() -> None:
    placeless = {name for name, row in FUNCTIONS.items() if not row.domains}
    assert placeless - {"LinnetUndo"} <= TOLD


def test_a_language_without_replies_gets_the_english_ones() -> None:
    outcome = Outcome(Call.of("HassTurnOn", name="lampe"), (LAMP,))
    assert replies_in("de", outcome) == replies(outcome)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(Call.of("HassTurnOn", name="台灯"), (LAMP,)), "台灯已打开"),
        (Outcome(Call.of("HassLightSet", name="台灯", color="red"), (LAMP,)), "台灯颜色已设为红色"),
        (Outcome(Call.of("HassTurnOff", name="前门"),
                 (DeviceResult("lock.a", "前门", "confirmed", "unlocked"),)), "前门已解锁"),
        (Outcome(Call.of("HassTurnOn", name="台灯"),
                 (DeviceResult("light.a", "台灯", "timeout"),)), "台灯没有回应"),
        (Outcome(Call.of("HassTurnOff", name="前门"), error="needs_confirmation",
                 facts={"unlock": "前门", "answer_s": 10}), "要解锁前门吗"),
        (Outcome(Call.of("LinnetAdjust", quantity="brightness", direction="up"), (LAMP, LAMP)),
         "台灯、台灯已调亮"),
        (Outcome(Call.of("LinnetAdjust", quantity="brightness", direction="up"),
                 error="state_unknown", facts={"unknown": "台灯"}), "我不知道台灯现在的状态"),
        (Outcome(Call.of("HassStartTimer", minutes=65), facts={"duration_s": 3900}),
         "计时器已设为1小时5分钟"),
        (Outcome(Call.of("HassGetState", name="台灯"), (LAMP,)), "台灯开着"),
        (Outcome(Call.of("HassGetState", name="台灯"),
                 (DeviceResult("light.a", "台灯", "confirmed", "on at 60 percent"),)),
         "台灯开着，60%"),
        (Outcome(Call.of("HassGetState", name="空调"),
                 (DeviceResult("climate.a", "空调", "confirmed",
                               "on heat, set to 21 degrees, now at 19.5 degrees"),)),
         "空调制热，设为21度，现在19.5度"),
        (Outcome(Call.of("HassGetState", name="模式"),
                 (DeviceResult("select.a", "模式", "confirmed", "eco"),)), "模式是eco"),
        (Outcome(Call.of("HassGetState", domain="light", state="on"), (LAMP, LAMP)), "2个全都开着"),
        (Outcome(Call.of("HassGetState", domain="light", state="off"), (LAMP, LAMP)),
         "没有一个关着"),
        (Outcome(Call.of("HassGetState", domain="light", state="on"),
                 (LAMP, DeviceResult("light.b", "顶灯", "unavailable"))),
         "台灯开着，我不知道顶灯的状态"),
        (Outcome(Call.of("HassGetState", domain="light"), (LAMP,) * 5),
         "台灯开着，台灯开着，台灯开着，还有2个"),
        (Outcome(Call.of("HassGetState", domain="light"), (LAMP,) * 3),
         "台灯开着，台灯开着，台灯开着"),
        (Outcome(Call.of("LinnetArithmetic"), facts={"value": "36"}), "等于36"),
        (Outcome(Call.of("HassNevermind"), error="no_device"), _ERRORS["no_device"]),
    ],
)  # fmt: skip
def test_what_became_of_it_is_said_in_chinese(outcome: Outcome, said: str) -> None:
    assert chinese(outcome) == said


def test_a_device_that_failed_is_never_told_as_done() -> None:
    away = DeviceResult("light.b", "顶灯", "unavailable")
    said = chinese(Outcome(Call.of("HassTurnOn", area="卧室", domain="light"), (LAMP, away)))
    assert said == "台灯已打开，顶灯不在线"


def test_a_span_of_time_is_told_in_its_units() -> None:
    assert [duration(s) for s in (0, 45, 60, 3_661)] == ["0秒", "45秒", "1分钟", "1小时1分钟1秒"]
