"""Time, date, sums, volume, and saying it again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.home.arithmetic import MAX_RESULT, OPERATORS, ArithmeticRefused, compute
from services.home.clock import Clocks
from services.home.desk import Desk
from services.home.functions import answer
from services.home.volume import Volume
from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.replies import replies
from services.language.spoken_sentences import WIDE
from tests.support.time_keeping import BERLIN, KeptTime


def test_time_date_weekday_and_never_mind() -> None:
    box = KeptTime()
    told = [box.ask(n) for n in ("HassGetCurrentTime", "HassGetCurrentDate", "HassNevermind")]
    assert [o.facts for o in told] == [{"time": "07:05"}, {"date": "2026-03-09"}, {}]
    assert box.hear("LinnetDayOfWeek") == "it is monday"
    assert box.ask("HassGetCurrentTime", name="lamp").error == "unsupported"


def test_the_day_changes_at_local_midnight() -> None:
    box = KeptTime(start=datetime(2026, 3, 8, 23, 59, 59, tzinfo=BERLIN))
    assert box.hear("LinnetDayOfWeek") == "it is sunday"
    box.wait(1)
    assert box.hear("LinnetDayOfWeek") == "it is monday"


# --- sums ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "operator", "right", "said"),
    [
        (2, "plus", 2, "that is four"),
        (7, "times", "8", "that is fifty six"),
        ("0.1", "plus", "0.2", "that is zero point three"),
        (5, "minus", 8, "that is minus three"),
        (10, "divided by", 4, "that is two point five"),
        (1, "divided by", 3, "that is about zero point three three three"),
        (-1, "divided by", 3, "that is about minus zero point three three three"),
        (15, "percent of", 80, "that is twelve"),
        (15, "percent_of", 80, "that is twelve"),
        (0, "times", -5, "that is zero"),
        (999_999, "times", 999_999,
         "that is nine hundred ninety nine billion nine hundred ninety eight million one"),
        (1, "divided by", 0, "nothing can be divided by zero"),
        (10**14, "times", 100, "that number is too large for me"),
        (2, "to the power of", 3, "sorry i can't do that"),
        ("two", "plus", 2, "sorry i can't do that"),
        ("1" * 16, "plus", 1, "sorry i can't do that"),
        ("1e9", "plus", 1, "sorry i can't do that"),
        ("nan", "plus", 1, "sorry i can't do that"),
        (10**40, "plus", 1, "sorry i can't do that"),
    ],
)  # fmt: skip
def test_sums_are_told_exactly(left: str | int, operator: str, right: str | int, said: str) -> None:
    box = KeptTime()
    assert box.hear("LinnetArithmetic", left=left, operator=operator, right=right) == said


def test_half_a_sum_is_none() -> None:
    assert KeptTime().ask("LinnetArithmetic", left=1, operator="plus").error == "unsupported"


_NUMBERS = st.decimals(-(10**8), 10**8, places=3).map(lambda d: f"{d:f}")


@given(_NUMBERS, st.sampled_from(OPERATORS), _NUMBERS)
def test_sums_agree_with_decimal_arithmetic(left: str, operator: str, right: str) -> None:
    a, b = Decimal(left), Decimal(right)
    assume(operator != "divided by" or b != 0)
    with localcontext() as context:
        context.prec = 60
        true = {
            "plus": lambda: a + b,
            "minus": lambda: a - b,
            "times": lambda: a * b,
            "divided by": lambda: a / b,
            "percent of": lambda: a * b / 100,
        }[operator]()
        if abs(true) >= MAX_RESULT:
            with pytest.raises(ArithmeticRefused):
                compute(left, operator, right)
            return
        result = compute(left, operator, right)
        off = abs(Decimal(result.value) - true)
        assert off <= Decimal("0.0005")
        assert (off == 0) or not result.exact


# --- volume ----------------------------------------------------------------------------------


def loud_box(folder: Path | None, gains: list[float]) -> Desk:
    volume = Volume(80, folder=folder, apply=gains.append)
    return Desk(volume=volume, clocks=Clocks(lambda: 0.0, lambda: 0.0, lambda: BERLIN))


def ask(desk: Desk, function: str, /, **arguments: str | int) -> Outcome:
    outcome = answer(Call.of(function, **arguments), desk)
    assert outcome is not None
    return outcome


def test_the_volume_is_set_stepped_and_kept(tmp_path: Path) -> None:
    gains: list[float] = []
    desk = loud_box(tmp_path, gains)
    assert replies(ask(desk, "HassSetVolume", volume_level=40))[0] == (
        "the volume is at forty percent"
    )
    assert ask(desk, "HassSetVolumeRelative", volume_step="up").facts == {"level": 50}
    assert ask(desk, "HassSetVolumeRelative", volume_step="down").facts == {"level": 40}
    assert ask(desk, "HassSetVolumeRelative", volume_step=-35).facts == {"level": 5}
    assert gains == [0.8, 0.4, 0.5, 0.4, 0.05]
    assert loud_box(tmp_path, gains).volume.level == 5


def test_muted_it_is_silent_but_hears_and_is_unmuted_to_what_it_was(tmp_path: Path) -> None:
    gains: list[float] = []
    desk = loud_box(tmp_path, gains)
    ask(desk, "HassSetVolume", volume_level=60)
    for _ in range(2):  # twice is as once
        assert replies(ask(desk, "HassMediaPlayerMute"))[0] == (
            "my sound is off and i still listen say louder or type unmute to hear me again"
        )
    assert gains[-1] == 0
    desk.volume.ring(True)
    assert gains[-1] == 0.4, "who mutes it at night is still woken"
    desk.volume.ring(False)
    assert replies(ask(desk, "HassMediaPlayerUnmute"))[0] == "my sound is on at sixty percent"
    assert ask(desk, "HassMediaPlayerUnmute").facts == {"level": 60}


def test_who_says_louder_when_muted_is_heard_of_again(tmp_path: Path) -> None:
    gains: list[float] = []
    desk = loud_box(tmp_path, gains)
    ask(desk, "HassMediaPlayerMute")
    (louder,) = (said for said in WIDE if "louder" in said.sentences)
    assert ask(desk, louder.intent, **dict(louder.fixed)).facts == {"level": 10}
    assert gains[-1] == 0.1


def test_who_was_muted_before_a_restart_is_unmuted_to_something_that_is_heard(
    tmp_path: Path,
) -> None:
    ask(loud_box(tmp_path, []), "HassMediaPlayerMute")
    desk = loud_box(tmp_path, [])
    assert desk.volume.level == 0
    assert ask(desk, "HassMediaPlayerUnmute").facts == {"level": 40}


def test_no_word_closes_the_microphone_and_the_reply_says_what_does(tmp_path: Path) -> None:
    desk = loud_box(tmp_path, [])
    told = ask(desk, "LinnetMicrophone")
    assert (told.error, dict(told.facts), desk.volume.level) == (None, {}, 80)
    assert "by its mute switch not by words" in replies(told)[0]


def test_the_volume_ends_at_its_ends() -> None:
    desk = loud_box(None, [])
    for _ in range(3):
        told = ask(desk, "HassSetVolumeRelative", volume_step="up")
    assert told.facts == {"level": 100}
    assert "that is as loud as i can be" in replies(told)
    assert ask(desk, "HassSetVolumeRelative", volume_step=-100).facts == {"level": 0}


@pytest.mark.parametrize("level", [-1, 101, "loud", "", 10**12, "١٢"])
def test_volumes_that_cannot_be(level: str | int) -> None:
    desk = loud_box(None, [])
    assert ask(desk, "HassSetVolume", volume_level=level).error == "unsupported"
    assert desk.volume.level == 80


# --- again, and enough -----------------------------------------------------------------------


def test_the_last_reply_is_repeated_and_never_written(tmp_path: Path) -> None:
    box = KeptTime(tmp_path)
    assert box.hear("LinnetRepeat") == "i have not said anything yet"
    box.desk.replied("the kitchen light is on")
    box.ask("HassStartTimer", minutes=5)
    assert box.hear("LinnetRepeat") == "the kitchen light is on"
    assert all(b"kitchen" not in path.read_bytes() for path in tmp_path.iterdir())
    box.restart()
    assert box.ask("LinnetRepeat").error == "nothing_said"


def test_stop_is_answered_though_nothing_goes_on() -> None:
    assert KeptTime().hear("LinnetStop") == "okay"
