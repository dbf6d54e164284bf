"""Typed sentences become calls, in English and Mandarin, or a reason why not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.language.calls import Call
from services.language.fast_path import MAX_CHARS, FastPath
from services.language.functions import FUNCTIONS, checked
from services.language.homeview import EntityView, HomeView
from services.language.sentences import NoSentences, intents, languages


def thing(name: str, domain: str, area: str | None = None, **more: object) -> EntityView:
    slug = name.replace(" ", "_")
    return EntityView(f"{domain}.{slug}{area or ''}", name, domain, area, **more)  # type: ignore[arg-type]


HOME = HomeView(
    (
        thing("bed light", "light", "bedroom", aliases=("night light",)),
        thing("desk lamp", "light", "office"),
        thing("lamp", "light", "office"),
        thing("lamp two", "light", "hallway"),
        thing("cafe spots", "light", "kitchen"),
        thing("kitchen fan", "switch", "kitchen"),
        thing("ceiling fan", "fan", "kitchen"),
        thing("front door", "lock", "hallway"),
        thing("front door", "binary_sensor", "hallway"),
        thing("garage door", "cover", "garage", device_class="garage"),
        thing("left blind", "cover", "office", device_class="blind"),
        thing("thermostat", "climate", "office"),
        thing("tank level", "number", "kitchen"),
        thing("washing program", "select", "kitchen"),
        thing("home alarm", "alarm_control_panel", "hallway"),
        thing("robby", "vacuum", "hallway"),
    ),
    ("bedroom", "garage", "hallway", "kitchen", "office"),
    ("first floor",),
    here="office",
)
ENGLISH = FastPath("en")


def call(function: str, /, **arguments: str | int) -> Call:
    return Call.of(function, **arguments)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Turn on the bed light!", call("HassTurnOn", name="bed light")),
        ("turn off the night light", call("HassTurnOff", name="bed light")),
        ("turn on the café spots", call("HassTurnOn", name="cafe spots")),
        ("turn on the cafe spot", call("HassTurnOn", name="cafe spots")),
        ("turn on lamp 2", call("HassTurnOn", name="lamp two")),
        ("set lamp 2 to 50%", call("HassLightSet", name="lamp two", brightness=50)),
        ("set the bed light brightness to fifty percent",
         call("HassLightSet", name="bed light", brightness=50)),
        ("set bed light to the maximum brightness",
         call("HassLightSet", name="bed light", brightness=100)),
        ("turn the desk lamp blue", call("HassLightSet", name="desk lamp", color="blue")),
        ("set the desk lamp color temperature to warm white",
         call("HassLightSet", name="desk lamp", temperature=2700)),
        ("turn on the kitchen lights", call("HassTurnOn", area="kitchen", domain="light")),
        ("turn on the lights", call("HassTurnOn", area="office", domain="light")),
        ("turn off all the lights", call("HassTurnOff", domain="light")),
        ("turn on all the lights in the house",
         call("HassTurnOn", area="everywhere", domain="light")),
        ("turn off everything", call("HassTurnOff", area="everywhere")),
        ("turn on the kitchen fan", call("HassTurnOn", name="kitchen fan")),
        ("turn off the first floor lights",
         call("HassTurnOff", domain="light", floor="first floor")),
        ("lock the front door", call("HassTurnOn", name="front door", domain="lock")),
        ("unlock the front door", call("HassTurnOff", name="front door", domain="lock")),
        ("is the front door open",
         call("HassGetState", name="front door", domain="binary_sensor", state="on")),
        ("close the blinds in the office",
         call("HassTurnOff", area="office", domain="cover", device_class="blind")),
        ("set the left blind to 30%", call("HassSetPosition", name="left blind", position=30)),
        ("stop the left blind", call("HassStopMoving", name="left blind")),
        ("set the thermostat to 21.5 degrees",
         call("HassClimateSetTemperature", name="thermostat", temperature="21.5")),
        ("set the thermostat to heat", call("HassClimateSetHvacMode", name="thermostat",
                                            mode="heat")),
        ("set the fan speed to 30 percent", call("HassFanSetSpeed", area="office",
                                                 percentage=30)),
        ("set the tank level to twelve", call("LinnetSetNumber", name="tank level", value=12)),
        ("set the washing program to quick wash",
         call("LinnetSelectOption", name="washing program", option="quick wash")),
        ("arm the alarm in night mode", call("LinnetArm", mode="night")),
        ("send robby home", call("HassVacuumReturnToBase", name="robby")),
        ("set a pizza timer for five minutes", call("HassStartTimer", name="pizza", minutes=5)),
        ("add 5 minutes to the timer", call("HassIncreaseTimer", minutes=5)),
        ("cancel my 10 minute timer", call("HassCancelTimer", start_minutes=10)),
        ("cancel all timers", call("HassCancelAllTimers")),
        ("what time is it", call("HassGetCurrentTime")),
        ("what is twelve times three", call("LinnetArithmetic", left=12, operator="times",
                                            right=3)),
        ("set an alarm for half past six", call("LinnetSetAlarm", time="06:30")),
        ("set an alarm for 7:30 pm every weekday",
         call("LinnetSetAlarm", time="19:30", days="mon,tue,wed,thu,fri")),
        ("wake me up at quarter to seven", call("LinnetSetAlarm", time="06:45")),
        ("set an alarm for midnight", call("LinnetSetAlarm", time="00:00")),
        ("set an alarm for 12 am", call("LinnetSetAlarm", time="00:00")),
        ("remind me to call anna at six pm", call("LinnetReminder", text="call anna",
                                                  time="18:00")),
        ("remind me in 10 minutes to call anna", call("LinnetReminder", text="call anna",
                                                      minutes=10)),
        ("volume down by ten percent", call("HassSetVolumeRelative", volume_step=-10)),
        ("set the volume to 30%", call("HassSetVolume", volume_level=30)),
        ("undo that", call("LinnetUndo")),
        ("say that again", call("LinnetRepeat")),
        ("stop", call("LinnetStop")),
        ("never mind", call("HassNevermind")),
    ],
)  # fmt: skip
def test_an_english_sentence_and_its_call(said: str, meant: Call) -> None:
    heard = ENGLISH.understand(said, HOME)
    assert heard.call == meant
    assert heard.miss is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "empty"),
        ("?!", "empty"),
        ("turn on the bed light " * 20, "too_long"),
        ("what is the capital of france", "not_understood"),
        ("do not turn on the bed light", "not_understood"),
        ("turn on the bed light and turn off the desk lamp", "not_understood"),
        ("turn on the", "not_understood"),
        ("turn on the disco ball", "no_device"),
        ("switch the lava lamp off", "no_device"),
        ("turn on the lights in the attic", "no_area"),
        ("set the front door to fifty percent", "unsupported"),
    ],
)
def test_what_is_not_a_command_here_and_why(said: str, why: str) -> None:
    heard = ENGLISH.understand(said, HOME)
    assert (heard.call, heard.miss) == (None, why)


def test_a_name_is_preferred_to_a_room_and_the_longer_name_to_the_shorter() -> None:
    fan = ENGLISH.understand("turn on the kitchen fan", HOME)
    assert call("HassTurnOn", area="kitchen", domain="fan") in fan.calls[1:]
    lamp = ENGLISH.understand("turn on the desk lamp", HOME)
    assert lamp.call == call("HassTurnOn", name="desk lamp")


def test_a_room_nobody_has_named_is_left_out() -> None:
    nowhere = HomeView(HOME.entities, HOME.areas, HOME.floors)
    assert ENGLISH.understand("turn on the lights", nowhere).call == call(
        "HassTurnOn", domain="light"
    )


def test_an_alias_of_two_things_stays_as_it_was_said() -> None:
    both = HomeView(
        (thing("left spot", "light", aliases=("spots",)), thing("right spot", "light",
         aliases=("spots",))),
    )  # fmt: skip
    assert ENGLISH.understand("turn on the spots", both).call == call("HassTurnOn", name="spots")


def test_names_are_those_of_the_home_shown_last() -> None:
    path = FastPath("en")
    path.warm_up(HOME)
    moved = HomeView((thing("aquarium", "switch"),))
    assert path.understand("turn on the aquarium", moved).call is not None
    assert path.understand("turn on the bed light", moved).miss == "no_device"
    assert path.understand("turn on the bed light", HOME).call is not None


CHINESE = HomeView(
    (
        thing("阅读灯", "light", "书房"),
        thing("电视", "switch", "客厅"),
        thing("前门", "lock", "客厅"),
        thing("左侧窗帘", "cover", "客厅", device_class="curtain"),
        thing("恒温器", "climate", "客厅"),
    ),
    ("书房", "客厅"),
    ("一楼",),
    here="客厅",
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("打开阅读灯", call("HassTurnOn", name="阅读灯")),
        ("把电视关掉", call("HassTurnOff", name="电视")),
        ("把阅读灯亮度设置为百分之八十", call("HassLightSet", name="阅读灯", brightness=80)),
        ("把阅读灯亮度设置为80%", call("HassLightSet", name="阅读灯", brightness=80)),
        ("把阅读灯设置为红色", call("HassLightSet", name="阅读灯", color="red")),
        ("打开书房的灯", call("HassTurnOn", area="书房", domain="light")),
        ("打开前门", call("HassTurnOff", name="前门")),  # on a lock, open means unlock
        ("开始五分钟计时器", call("HassStartTimer", minutes=5)),
        ("把恒温器的温度设置为二十一度", call("HassClimateSetTemperature", name="恒温器",
                                              temperature=21)),
        ("关闭所有东西", call("HassTurnOff", area="everywhere")),
        ("撤销", call("LinnetUndo")),
    ],
)  # fmt: skip
def test_a_chinese_sentence_and_its_call(said: str, meant: Call) -> None:
    assert FastPath("zh-CN").understand(said, CHINESE).call == meant


@pytest.mark.parametrize("said", ["法国的首都是哪里", "不要打开阅读灯", "把"])
def test_chinese_talk_is_no_command(said: str) -> None:
    assert FastPath("zh-CN").understand(said, CHINESE).call is None


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "ru"])
def test_other_languages_of_the_package_can_be_read(language: str) -> None:
    path = FastPath(language)
    path.warm_up(HOME)
    assert path.understand("blah", HOME).call is None
    assert language in languages()


def test_a_language_without_sentences_is_an_error() -> None:
    with pytest.raises(NoSentences, match="tlh"):
        intents("tlh")


VOCABULARY = """
turn on off the set bed light kitchen to fifty percent is what all in lock front door timer for
minutes everything close blinds { } < > [ ] ( | ; % \\ 50 21.5
"""
WORDS = st.lists(st.sampled_from(VOCABULARY.split()), max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.one_of(WORDS, st.text(max_size=MAX_CHARS + 5)))
def test_whatever_is_typed_every_reading_is_a_call_of_the_table(text: str) -> None:
    heard = ENGLISH.understand(text, HOME)
    assert (heard.call is None) == (heard.miss is not None)
    for one in heard.calls:
        assert one.name in FUNCTIONS
        assert checked(one) == one
