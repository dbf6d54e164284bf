"""Sentences of our own: each function has one in both languages, and all of them can be read."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hassil.sample import sample_sentence

from services.evaluate.intents_home import merged_home
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.functions import FUNCTIONS
from services.language.homeview import HomeView
from services.language.sentences import intents

LANGUAGES = ("en", "zh-CN")


@lru_cache
def chinese() -> tuple[FastPath, HomeView]:
    return FastPath("zh-CN"), merged_home("zh-CN").view


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_function_has_a_sentence(language: str) -> None:
    known = intents(language).intents
    assert set(FUNCTIONS) <= set(known)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_ours_is_one_that_hassil_can_say(language: str) -> None:
    known = intents(language)
    for intent in known.intents.values():
        for data in intent.data:
            if (data.metadata or {}).get("slot_combination") != "own":
                continue
            for sentence in data.sentences:
                said = sample_sentence(
                    sentence, known, expansion_rules=known.expansion_rules, expand_lists=False
                )
                assert next(iter(said), "")


def call(name: str, /, **arguments: str | int) -> Call:
    return Call.of(name, **arguments)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("设置早上七点的闹钟", call("LinnetSetAlarm", time="07:00")),
        ("每天早上六点半叫醒我", call("LinnetSetAlarm", time="06:30",
                                    days="mon,tue,wed,thu,fri,sat,sun")),
        ("定一个晚上十点一刻的闹钟", call("LinnetSetAlarm", time="22:15")),
        ("晚上十二点叫我起床", call("LinnetSetAlarm", time="00:00")),
        ("下午三点二十分叫醒我", call("LinnetSetAlarm", time="15:20")),
        ("明天早上七点叫醒我", call("LinnetSetAlarm", time="07:00", day="tomorrow")),
        ("设置明天晚上八点的闹钟", call("LinnetSetAlarm", time="20:00", day="tomorrow")),
        ("周一早上七点叫我起床", call("LinnetSetAlarm", time="07:00", day="mon")),
        ("每周一早上七点叫我起床", call("LinnetSetAlarm", time="07:00", days="mon")),
        ("星期天下午五点提醒我买牛奶",
         call("LinnetReminder", time="17:00", day="sun", text="买牛奶")),
        ("我有哪些提醒", call("LinnetReminderStatus")),
        ("告诉我所有的闹钟", call("LinnetAlarmStatus")),
        ("静音", call("HassMediaPlayerMute")),
        ("取消静音", call("HassMediaPlayerUnmute")),
        ("关闭麦克风", call("LinnetMicrophone")),
        ("取消闹钟", call("LinnetCancelAlarm")),
        ("我有哪些闹钟", call("LinnetAlarmStatus")),
        ("下午五点提醒我买牛奶", call("LinnetReminder", time="17:00", text="买牛奶")),
        ("十分钟后提醒我关火", call("LinnetReminder", minutes=10, text="关火")),
        ("取消提醒", call("LinnetCancelReminder")),
        ("再睡一会儿", call("LinnetSnooze")),
        ("再睡五分钟", call("LinnetSnooze", minutes=5)),
        ("十二加三等于多少", call("LinnetArithmetic", left=12, operator="plus", right=3)),
        ("12乘以3等于多少", call("LinnetArithmetic", left=12, operator="times", right=3)),
        ("八十除以四等于几", call("LinnetArithmetic", left=80, operator="divided_by", right=4)),
        ("二十的百分之五十是多少",
         call("LinnetArithmetic", left=50, operator="percent_of", right=20)),
        ("把鱼缸水位调到四十", call("LinnetSetNumber", name="鱼缸水位", value=40)),
        ("把洗衣程序切换到quick", call("LinnetSelectOption", name="洗衣程序", option="quick")),
        ("在门牌上写你好", call("LinnetSetText", name="门牌", value="你好")),
        ("把加湿器切换到睡眠模式", call("HassHumidifierMode", name="加湿器", mode="sleep")),
        ("把恒温器风速调到高档", call("HassClimateSetFanMode", name="恒温器", fan_mode="high")),
        ("音量调高", call("HassSetVolumeRelative", volume_step="up")),
        ("撤销", call("LinnetUndo")),
        ("再说一遍", call("LinnetRepeat")),
        ("停", call("LinnetStop")),
    ],
)  # fmt: skip
def test_our_own_functions_are_called_in_chinese(said: str, meant: Call) -> None:
    path, view = chinese()
    assert path.understand(said, view).call == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("set an alarm for tomorrow at 7", {"time": "07:00", "day": "tomorrow"}),
        ("set an alarm for 7 am tomorrow", {"time": "07:00", "day": "tomorrow"}),
        ("set an alarm for seven tomorrow evening", {"time": "19:00", "day": "tomorrow"}),
        ("wake me tomorrow morning at half past six", {"time": "06:30", "day": "tomorrow"}),
        ("set an alarm for tomorrow 6:45", {"time": "06:45", "day": "tomorrow"}),
        ("set an alarm for noon tomorrow", {"time": "12:00", "day": "tomorrow"}),
        ("wake me at 7 on monday", {"time": "07:00", "day": "mon"}),
        ("wake me up on friday at 7", {"time": "07:00", "day": "fri"}),
        ("set an alarm for sunday night at eleven", {"time": "23:00", "day": "sun"}),
        ("wake me at 9 pm today", {"time": "21:00", "day": "today"}),
        ("wake me at 7 every monday", {"time": "07:00", "days": "mon"}),
        ("wake me on mondays at 7", {"time": "07:00", "days": "mon"}),
        ("wake me on weekdays at 7", {"time": "07:00", "days": "mon,tue,wed,thu,fri"}),
    ],
)
def test_an_alarm_is_for_one_day_or_for_every_such_day(said: str, meant: dict[str, str]) -> None:
    path, view = english()
    assert path.understand(said, view).call == call("LinnetSetAlarm", **meant)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("mute", "HassMediaPlayerMute"),
        ("mute yourself", "HassMediaPlayerMute"),
        ("mute the volume", "HassMediaPlayerMute"),
        ("turn the sound off", "HassMediaPlayerMute"),
        ("unmute", "HassMediaPlayerUnmute"),
        ("turn the sound back on", "HassMediaPlayerUnmute"),
        ("mute the microphone", "LinnetMicrophone"),
        ("unmute your mic", "LinnetMicrophone"),
        ("turn off the microphone", "LinnetMicrophone"),
        ("stop listening", "LinnetMicrophone"),
    ],
)
def test_the_sound_and_the_microphone_are_two_things_to_mute(said: str, meant: str) -> None:
    path, view = english()
    for here in (view, replace(view, here=None)):
        assert path.understand(said, here).call == call(meant)


@pytest.mark.parametrize("said", ["mute the television", "unmute the kitchen"])
def test_no_other_sound_is_ours_to_mute(said: str) -> None:
    path, view = english()
    assert path.understand(said, view).call is None


@pytest.mark.parametrize(
    "said",
    ["list my {}", "what {} do i have", "which {} are set", "show me all my {}", "what are my {}",
     "do i have any {}", "are there any {} set"],
)  # fmt: skip
def test_what_is_set_can_be_listed(said: str) -> None:
    path, view = english()
    assert path.understand(said.format("alarms"), view).call == call("LinnetAlarmStatus")
    assert path.understand(said.format("reminders"), view).call == call("LinnetReminderStatus")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("remind me to call mom tomorrow at 7", {"time": "07:00", "day": "tomorrow"}),
        ("remind me to call mom at 7 tomorrow", {"time": "07:00", "day": "tomorrow"}),
        ("remind me tomorrow evening at 6 to call mom", {"time": "18:00", "day": "tomorrow"}),
        ("remind me on monday at 9 to call mom", {"time": "09:00", "day": "mon"}),
        ("set a reminder to call mom on friday at noon", {"time": "12:00", "day": "fri"}),
        ("remind me to call mom at 9 every sunday", {"time": "09:00", "days": "sun"}),
    ],
)
def test_the_day_of_a_reminder_is_not_part_of_what_to_remind_of(
    said: str, when: dict[str, str]
) -> None:
    path, view = english()
    assert path.understand(said, view).call == call("LinnetReminder", text="call mom", **when)


@pytest.mark.parametrize(
    "said", ["wake me at 7 pm tomorrow morning", "wake me at 13 tomorrow night"]
)
def test_a_part_of_the_day_that_cannot_be_is_not_guessed_at(said: str) -> None:
    path, view = english()
    assert path.understand(said, view).call is None


@lru_cache
def english() -> tuple[FastPath, HomeView]:
    return FastPath("en"), merged_home("en").view


def adjust(quantity: str, direction: str, **more: str | int) -> Call:
    return Call.of("LinnetAdjust", quantity=quantity, direction=direction, **more)


DEN = {"area": "living room"}
CURTAINS = {"domain": "cover", "device_class": "curtain"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("make the counter lamp brighter", adjust("brightness", "up", name="counter lamp")),
        ("make the counter lamp a bit brighter",
         adjust("brightness", "up", name="counter lamp", amount=10)),
        ("make the reading light in the bedroom brighter",
         adjust("brightness", "up", name="reading light", area="bedroom")),
        ("could you dim the kitchen lights a little please",
         adjust("brightness", "down", name="kitchen lights", amount=10)),
        ("turn the desk lamp down by thirty percent",
         adjust("brightness", "down", name="desk lamp", amount=30)),
        ("dim the lights", adjust("brightness", "down", **DEN)),
        ("brighten the lights in the office", adjust("brightness", "up", area="office")),
        ("it's too dark in here", adjust("brightness", "up", **DEN)),
        ("much brighter", adjust("brightness", "up", amount=40, **DEN)),
        ("a bit warmer", adjust("temperature", "up")),
        ("it is too hot", adjust("temperature", "down")),
        ("it's too cold in the bedroom", adjust("temperature", "up", area="bedroom")),
        ("turn the heating down", adjust("temperature", "down")),
        ("turn up the thermostat by one and a half degrees",
         adjust("temperature", "up", name="thermostat", amount="1.5")),
        ("lower the temperature in the office by 2 degrees",
         adjust("temperature", "down", area="office", amount=2)),
        ("open the left curtain a bit more",
         adjust("position", "up", name="left curtain", amount=10)),
        ("close the curtains a little", adjust("position", "down", amount=10, **CURTAINS, **DEN)),
        ("open the roller shutter further", adjust("position", "up", name="roller shutter")),
        ("make the tower fan faster", adjust("speed", "up", name="tower fan")),
        ("slow down the fan", adjust("speed", "down", **DEN)),
        ("increase the humidity in the bedroom by ten percent",
         adjust("humidity", "up", area="bedroom", amount=10)),
    ],
)  # fmt: skip
def test_relative_wishes_are_read_in_english(said: str, meant: Call) -> None:
    path, view = english()
    assert path.understand(said, view).call == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("请把橱柜灯调亮一点", adjust("brightness", "up", name="橱柜灯")),
        ("把橱柜灯亮度提高百分之二十", adjust("brightness", "up", name="橱柜灯", amount=20)),
        ("卧室的灯光调暗", adjust("brightness", "down", area="卧室")),
        ("太暗了", adjust("brightness", "up", area="客厅")),
        ("把恒温器调高两度", adjust("temperature", "up", name="恒温器", amount=2)),
        ("有点冷", adjust("temperature", "up")),
        ("卧室温度调低一点", adjust("temperature", "down", area="卧室")),
        ("把左侧窗帘打开一点", adjust("position", "up", name="左侧窗帘")),
        ("窗帘关小一点", adjust("position", "down", area="客厅", **CURTAINS)),
        ("塔扇调慢一点", adjust("speed", "down", name="塔扇")),
        ("把加湿器湿度调高", adjust("humidity", "up", name="加湿器")),
        ("把橱柜灯调到百分之五十", call("HassLightSet", name="橱柜灯", brightness=50)),
        ("请帮我打开橱柜灯", call("HassTurnOn", name="橱柜灯")),
        ("启动洗衣机", call("HassTurnOn", name="洗衣机")),
        ("停止洒水器", call("HassTurnOff", name="洒水器")),
        ("大声一点", call("HassSetVolumeRelative", volume_step="up")),
        ("声音小一点", call("HassSetVolumeRelative", volume_step="down")),
    ],
)  # fmt: skip
def test_relative_wishes_and_polite_words_are_read_in_chinese(said: str, meant: Call) -> None:
    path, view = chinese()
    assert path.understand(said, view).call == meant


@pytest.mark.parametrize("said", ["it is too dark to read", "the bedroom is warmer than the hall"])
def test_talk_of_light_and_warmth_commands_nothing(said: str) -> None:
    path, view = english()
    assert path.understand(said, view).call is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("start the dishwasher", call("HassTurnOn", name="dishwasher")),
        ("stop the sprinkler", call("HassTurnOff", name="sprinkler")),
        ("what timers are running", call("HassTimerStatus")),
        ("set a ten minute pasta timer", call("HassStartTimer", minutes=10, name="pasta")),
        ("set the desk lamp to half brightness",
         call("HassLightSet", name="desk lamp", brightness=50)),
        ("press the doorbell chime in the hallway",
         call("HassTurnOn", name="doorbell chime", area="hallway")),
    ],
)  # fmt: skip
def test_what_people_say_of_machines_and_timers(said: str, meant: Call) -> None:
    path, view = english()
    assert path.understand(said, view).call == meant
