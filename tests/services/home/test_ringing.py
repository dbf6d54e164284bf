"""What rings, until when, and how it is ended."""

from __future__ import annotations

import pytest

from services.home.desk import MISSED_TOLD_S
from services.home.ringing import CHIME_EVERY_S, RING_FOR_S, outcome
from services.home.volume import Volume
from services.language.replies import replies
from tests.support.time_keeping import KeptTime


def seconds(box: KeptTime, count: int) -> None:
    for _ in range(count):
        box.wait(1.0)


def ringing_box(**timer: str | int) -> KeptTime:
    box = KeptTime()
    box.ask("HassStartTimer", **(timer or {"minutes": 5}))
    box.wait(300)
    assert len(box.rung) == 1
    return box


def words(box: KeptTime) -> list[str]:
    return [replies(outcome(ring))[0] for ring in box.begun]


def test_it_chimes_again_and_again_until_somebody_says_stop() -> None:
    box = ringing_box()
    seconds(box, 60)
    assert len(box.chimes) == 1 + 60 / CHIME_EVERY_S
    assert box.hear("LinnetStop") == "okay"
    seconds(box, 60)
    assert len(box.chimes) == 1 + 60 / CHIME_EVERY_S
    assert len(box.begun) == 1, "it is told of once"


def test_it_stops_by_itself_after_a_quarter_of_an_hour() -> None:
    box = ringing_box()
    seconds(box, RING_FOR_S - 1)
    assert box.desk.ringer.rings
    before = len(box.chimes)
    seconds(box, 60)
    assert not box.desk.ringer.rings
    assert len(box.chimes) <= before + 1


def test_several_ring_together_and_one_stop_ends_all() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    box.ask("HassStartTimer", minutes=5, name="egg")
    box.ask("LinnetReminder", text="feed the cat", minutes=5)
    box.wait(300)
    (chime,) = box.chimes
    assert len(chime.rings) == len(chime.begun) == 3
    assert words(box) == ["the five minute timer is over", "the egg timer is over",
                          "a reminder feed the cat"]  # fmt: skip
    assert box.ask("LinnetStop").facts == {"stopped": 3}
    seconds(box, 10)
    assert len(box.chimes) == 1


def test_what_joins_the_ringing_is_told_too() -> None:
    box = ringing_box()
    box.ask("HassStartTimer", seconds=7, name="egg")
    seconds(box, 10)
    assert words(box) == ["the five minute timer is over", "the egg timer is over"]
    assert len(box.chimes[-1].rings) == 2


@pytest.mark.parametrize("function", ["HassCancelTimer", "HassCancelAllTimers"])
def test_cancelling_a_timer_that_rings_ends_the_ringing(function: str) -> None:
    box = ringing_box()
    box.ask("HassStartTimer", minutes=10)
    assert box.ask("HassCancelTimer").error is None
    assert not box.desk.ringer.rings
    assert len(box.desk.timers.running()) == 1, "the one that runs is not meant"
    assert box.ask(function).error is None
    assert box.desk.timers.running() == ()


def test_a_cancelled_name_leaves_the_others_ringing() -> None:
    box = ringing_box(minutes=5, name="egg")
    box.ask("HassStartTimer", seconds=1, name="tea")
    box.wait(1)
    assert box.hear("HassCancelTimer", name="tea") == "the tea timer is cancelled"
    assert [ring.name for ring in box.desk.ringer.rings] == ["egg"]


def test_a_wake_word_ends_the_ringing_without_waiting() -> None:
    box = ringing_box()
    box.desk.hush()
    seconds(box, 10)
    assert len(box.chimes) == 1


def test_snooze_rings_again_after_five_minutes_or_as_asked() -> None:
    box = KeptTime()
    box.ask("LinnetSetAlarm", time="07:30", name="work")
    box.wait_until("2026-03-09 07:30")
    assert box.hear("LinnetSnooze") == "okay again in five minutes"
    seconds(box, 299)
    assert len(box.rung) == 1
    box.wait(1)
    assert words(box) == ["the work alarm it is seven thirty in the morning"] * 2
    assert box.hear("LinnetSnooze", minutes=10) == "okay again in ten minutes"
    assert box.ask("HassTimerStatus").error == "no_timer"
    assert box.hear("LinnetCancelAlarm") == "the work alarm is cancelled"
    box.wait(3600)
    assert len(box.rung) == 2


def test_a_ring_that_was_just_stopped_can_still_be_snoozed() -> None:
    box = ringing_box(minutes=5, name="egg")
    box.desk.hush()
    seconds(box, 5)
    assert box.ask("LinnetSnooze").error is None
    assert box.hear("HassTimerStatus") == "the egg timer has five minutes left"
    assert box.hear("LinnetSnooze") == "nothing is ringing"


def test_a_ring_stopped_long_ago_is_not_snoozed() -> None:
    box = ringing_box()
    box.ask("LinnetStop")
    box.wait(130)
    assert box.ask("LinnetSnooze").error == "nothing_rings"
    assert box.ask("LinnetSnooze", hours=2).error == "unsupported"


def loudness(box: KeptTime, least: int = 40) -> list[float]:
    """Every gain from now on."""
    gains: list[float] = []
    box.desk.volume = Volume(0, least_ringing=least, apply=gains.append)
    return gains


def test_a_box_that_was_turned_down_to_nothing_rings_aloud_and_is_silent_again() -> None:
    box = KeptTime()
    gains = loudness(box)
    box.ask("HassStartTimer", minutes=5)
    box.wait(300)
    assert (gains, box.desk.volume.level) == ([0.0, 0.4], 0)
    box.ask("HassSetVolume", volume_level=0)
    assert gains[-1] == 0.4
    box.ask("LinnetStop")
    box.wait(0.1)
    assert gains[-1] == 0.0


def test_what_is_louder_already_stays_as_loud() -> None:
    box = KeptTime()
    gains = loudness(box)
    box.ask("HassSetVolume", volume_level=70)
    box.ask("HassStartTimer", minutes=5)
    box.wait(300)
    assert set(gains[1:]) == {0.7}


def test_an_owner_may_want_silence() -> None:
    box = KeptTime()
    gains = loudness(box, least=0)
    box.ask("HassStartTimer", minutes=5)
    box.wait(300)
    assert set(gains) == {0.0}


def test_what_was_missed_is_told_aloud_for_as_long_as_telling_takes() -> None:
    box = KeptTime()
    box.ask("HassStartTimer", minutes=5)
    gains = loudness(box)
    box.wait(300 + RING_FOR_S + 60)
    assert [ring.missed for ring in box.begun] == [True]
    assert gains[-1] == 0.4
    box.wait(MISSED_TOLD_S)
    assert gains[-1] == 0.0


@pytest.mark.parametrize("end", ["the wake word", "a quarter of an hour"])
def test_the_volume_holds_again_when_the_ringing_ends(end: str) -> None:
    box = ringing_box()
    gains = loudness(box)
    box.wait(1)
    assert gains[-1] == 0.4
    if end == "the wake word":
        box.desk.hush()
        box.wait(0.1)
    else:
        box.wait(RING_FOR_S)
    assert gains[-1] == 0.0
