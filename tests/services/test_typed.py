"""Lines typed one after the other: calls, reasons, and one question with its answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.home.entities import Registry
from services.home.resolver import current_resolution
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.homeview import HomeView
from services.language.line_guess import Guess
from services.language.outcome import Outcome
from services.language.replies import replies
from services.typed import Read, TypedLines
from tests.services.home.things import light, registry

HOME = registry(
    light("Reading Light", "Office"),
    light("Reading Light", "Bedroom"),
    light("Desk Lamp", "Office"),
    light("Bed Light", "Bedroom"),
)
PATH = FastPath()
BEDROOM = Call.of("HassTurnOn", name="reading light", area="bedroom", domain="light")


class AnyGuess:
    """Takes every line for the desk lamp."""

    asked = 0

    def guess(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess:
        self.asked += 1
        return Guess((Call.of("HassTurnOn", name="desk lamp"),))


def typed(*said: str, home: Registry = HOME, here: str | None = None) -> list[Read]:
    lines = TypedLines(PATH)
    return [lines.read(text, home.view(here), home.snapshot()) for text in said]


def test_a_command_is_a_call() -> None:
    assert typed("turn on the desk lamp") == [Read(Call.of("HassTurnOn", name="desk lamp"))]


def test_what_means_two_devices_is_asked_and_the_answer_decides() -> None:
    asked, answered = typed("turn on the reading light", "the one in the bedroom")
    assert asked.error == "ambiguous"
    assert asked.question is not None
    assert asked.question.text == "the one in the bedroom or the one in the office"
    assert answered == Read(BEDROOM)


def test_the_room_we_are_in_needs_no_question() -> None:
    (read,) = typed("turn on the reading light", here="office")
    assert read == Read(Call.of("HassTurnOn", name="reading light"))


def test_another_command_closes_the_question() -> None:
    _, other, late = typed("turn on the reading light", "turn on the desk lamp", "the bedroom")
    assert other == Read(Call.of("HassTurnOn", name="desk lamp"))
    assert (late.call.name, late.error) == ("HassNevermind", "not_understood")


def test_a_question_stays_open_for_one_line_only() -> None:
    _, muttered, late = typed("turn on the reading light", "hm well", "the bedroom")
    assert (muttered.error, late.error) == ("not_understood", "not_understood")


def test_what_is_no_command_has_a_reason() -> None:
    told = [r.error for r in typed("turn on the disco ball", "hello there", "?", "a" * 999)]
    assert told == ["no_device", "not_understood", "not_understood", "not_understood"]


@pytest.mark.parametrize(
    "line",
    [
        "turn on the desk lamp and the bed light",
        "turn the desk lamp and the bed light off",
        "turn on the desk lamp, the bed light and the reading light",
        "turn on the desk lamp and turn off the bed light",
        "turn off the bed light then what time is it",
        "set the desk lamp and the bed light to 30 percent",
    ],
)
def test_two_things_in_one_line_are_asked_for_one_by_one_and_nothing_is_done(line: str) -> None:
    guesser = AnyGuess()
    lines = TypedLines(PATH, guesser)
    read = lines.read(line, HOME.view(), HOME.snapshot())
    assert (read.call.name, read.error, read.resolution) == ("HassNevermind", "one_at_a_time", None)
    assert guesser.asked == 0, "half of what was meant is not guessed at either"
    assert replies(Outcome(read.call, error=read.error))[0] == (
        "i did nothing yet one thing at a time please"
    )


def test_in_chinese_as_well() -> None:
    home = registry(light("书房灯"), light("床头灯"))
    lines = TypedLines(FastPath("zh-CN"))
    for line in ("打开书房灯和床头灯", "打开书房灯，关闭床头灯"):
        read = lines.read(line, home.view(), home.snapshot())
        assert (read.call.name, read.error) == ("HassNevermind", "one_at_a_time")


@pytest.mark.parametrize(
    "line",
    ["the lamp fell over and the light went out", "turn on the desk lamp and be happy",
     "and", "and the bed light", ", , ,", "don't turn on the desk lamp and the bed light"],
)  # fmt: skip
def test_an_and_alone_makes_no_two_commands(line: str) -> None:
    (read,) = typed(line)
    assert (read.call.name, read.error) == ("HassNevermind", "not_understood")


def test_a_name_with_an_and_in_it_is_one_name() -> None:
    home = registry(light("Salt and Pepper"), light("Desk Lamp"))
    (read,) = typed("turn on salt and pepper", home=home)
    assert read == Read(Call.of("HassTurnOn", name="salt and pepper"))


def test_the_devices_that_were_found_are_handed_on_as_they_are_by_then() -> None:
    home = registry(light("Desk Lamp", "Office"))
    (read,) = typed("turn on the desk lamp", home=home)
    assert read.resolution is not None
    assert [e.name for e in read.resolution.targets] == ["desk lamp"]
    home.hear("OfficeDeskLamp", b"ON", 1.0)
    now = current_resolution(read.resolution, home.snapshot())
    assert now is not None
    assert [e.state.value for e in now.targets] == ["on"]


def test_a_device_that_left_or_was_replaced_is_looked_for_again() -> None:
    (read,) = typed("turn on the desk lamp", home=registry(light("Desk Lamp", "Office")))
    assert read.resolution is not None
    for other in (registry(), registry(light("Desk Lamp", "Office", payload_on="1"))):
        assert current_resolution(read.resolution, other.snapshot()) is None


FORECAST = Call.of("weather__get_forecast", place="Oslo")
NEWS = Call.of("press__get_news")
LAMP_ON = Call.of("HassTurnOn", name="desk lamp")


class Listed:
    """Tools of others that the owner listed: which lines they may be meant by is known."""

    def __init__(self, *calls: Call) -> None:
        self.calls = calls

    def meant(self, line: str) -> Sequence[Call]:
        return self.calls if "forecast" in line else ()


class Family:
    """A language model that chooses among what it is shown."""

    def __init__(self, *readings: Call) -> None:
        self.readings = readings
        self.shown: list[Call] = []

    def guess(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess:
        self.shown += others
        return Guess(self.readings, 0.0)


def read_all(lines: TypedLines, *said: str) -> list[Read]:
    return [lines.read(text, HOME.view(), HOME.snapshot()) for text in said]


def test_a_listed_tool_is_called_after_a_yes_and_only_then() -> None:
    asked, agreed = read_all(TypedLines(PATH, None, Listed(FORECAST)), "forecast for Oslo", "yes")
    assert (asked.call, asked.error, asked.guessed) == (FORECAST, "unsure", True)
    assert (agreed.call, agreed.error) == (FORECAST, None)
    for answer in ("no", "forecast", "turn on the desk lamp", "hm"):
        lines = TypedLines(PATH, None, Listed(FORECAST))
        _, other, late = read_all(lines, "forecast for Oslo", answer, "yes")
        assert other.error is not None or other.call != FORECAST
        assert late.call != FORECAST or answer == "forecast", "asked anew"


def test_without_the_owners_listing_nobody_can_call_one() -> None:
    for lines in (TypedLines(PATH), TypedLines(PATH, Family(FORECAST))):
        asked, agreed = read_all(lines, "forecast for Oslo", "yes")
        assert asked.error == agreed.error == "not_understood"


def test_a_language_model_is_shown_the_tools_that_the_line_allows_and_chooses() -> None:
    family = Family(NEWS)
    asked, agreed = read_all(
        TypedLines(PATH, family, Listed(FORECAST, NEWS)), "forecast and news", "yes"
    )
    assert family.shown == [FORECAST, NEWS]
    assert (asked.call, asked.error) == (NEWS, "unsure")
    assert agreed == Read(NEWS)


def test_two_tools_are_not_chosen_between_without_a_model() -> None:
    (read,) = read_all(TypedLines(PATH, None, Listed(FORECAST, NEWS)), "forecast for Oslo")
    assert read.error == "not_understood"


def test_what_the_home_has_is_never_taken_for_a_tool() -> None:
    family = Family(LAMP_ON)
    (read,) = read_all(TypedLines(PATH, family, Listed(FORECAST)), "desk lamp forecast")
    assert (read.call, read.error) == (LAMP_ON, "unsure")
    (plain,) = read_all(TypedLines(PATH, family, Listed(FORECAST)), "turn on the desk lamp")
    assert (plain.call, plain.guessed) == (LAMP_ON, False)


def test_a_model_torn_between_a_device_and_a_tool_is_not_believed() -> None:
    family = Family(LAMP_ON, FORECAST)
    (read,) = read_all(TypedLines(PATH, family, Listed(FORECAST)), "desk lamp forecast")
    assert read.error == "not_understood"
