"""Risky commands, undoing and rate limits, on a simulated home through a real mosquitto."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from services.home.executor import Home
from services.home.pending import Pending
from services.home.rate_limit import RateLimit
from services.home.safety import Safety
from services.home.simulated import Fault, SimulatedHome
from services.language.calls import Call
from tests.services.home.conftest import PATIENT_S, until_all_known
from tests.services.home.guarded import command_freely, resolve_freely
from tests.services.home.test_home import ON, by_name, statuses, until
from tests.support.mosquitto import Mosquitto

UNLOCK = Call.of("HassTurnOff", name="front door")
UNDO = Call.of("LinnetUndo")
ME = "me"


@pytest.fixture
def home(broker: Mosquitto, simulated: SimulatedHome) -> Iterator[Home]:
    simulated.change("front_door", state="LOCKED")
    safety = Safety(Pending(answer_s=60.0), RateLimit(burst=5, per_s=1000.0))
    with Home(
        broker.address,
        timeout_s=PATIENT_S,
        safety=safety,
        resolver=resolve_freely,
        commander=command_freely,
    ) as running:
        running.wait_connected(20)
        until_all_known(running, simulated)
        yield running


def payloads(simulated: SimulatedHome, device_id: str) -> list[bytes]:
    return [c.payload for c in simulated.commands if c.device_id == device_id]


def test_a_door_is_unlocked_after_a_yes_and_not_before(
    home: Home, simulated: SimulatedHome
) -> None:
    asked = home.execute(UNLOCK, session=ME)
    assert (asked.error, asked.results) == ("needs_confirmation", ())
    assert asked.facts == {"unlock": "front door", "answer_s": 60}
    assert payloads(simulated, "front_door") == []
    done = home.confirm("yes", ME)
    assert (done.call, done.error, statuses(done)) == (UNLOCK, None, {"front door": "confirmed"})
    assert payloads(simulated, "front_door") == [b"UNLOCK"]
    assert home.confirm("yes", ME).error == "nothing_asked"
    assert payloads(simulated, "front_door") == [b"UNLOCK"]


def test_a_no_leaves_it(home: Home, simulated: SimulatedHome) -> None:
    home.execute(UNLOCK, session=ME)
    answer = home.confirm("no", ME)
    assert (answer.call, answer.error) == (UNLOCK, "left_alone")
    assert payloads(simulated, "front_door") == []


def test_locking_is_never_asked_about(home: Home, simulated: SimulatedHome) -> None:
    simulated.change("front_door", state="UNLOCKED")
    assert statuses(home.execute(Call.of("HassTurnOn", name="front door"))) == {
        "front door": "confirmed"
    }


def test_who_cannot_be_asked_back_opens_no_question(home: Home, simulated: SimulatedHome) -> None:
    asked = home.execute(UNLOCK)
    assert asked.facts == {"unlock": "front door"}
    assert home.confirm("yes", ME).error == "nothing_asked"
    assert payloads(simulated, "front_door") == []


@pytest.mark.parametrize("other", [ON, Call.of("HassGetCurrentTime"), UNDO])
def test_any_other_command_closes_the_question(
    home: Home, simulated: SimulatedHome, other: Call
) -> None:
    home.execute(UNLOCK, session=ME)
    home.execute(other, session=ME)
    assert home.confirm("yes", ME).error == "nothing_asked"
    assert payloads(simulated, "front_door") == []


def test_a_wake_word_closes_the_question(home: Home) -> None:
    home.execute(UNLOCK, session=ME)
    home.withdraw()
    assert home.confirm("yes", ME).error == "nothing_asked"


def test_a_lock_that_went_away_and_came_back_is_not_the_one_that_was_asked_about(
    home: Home, simulated: SimulatedHome
) -> None:
    home.execute(UNLOCK, session=ME)
    simulated.set_fault("front_door", Fault(offline=True))
    until(lambda: not by_name(home, "front door").available(time.monotonic()))
    until(lambda: not home.asking)
    simulated.set_fault("front_door", Fault())
    until(lambda: by_name(home, "front door").available(time.monotonic()))
    assert home.confirm("yes", ME).error == "home_changed"
    assert payloads(simulated, "front_door") == []


def test_a_yes_of_a_turn_that_was_cut_off_sends_nothing(
    home: Home, simulated: SimulatedHome
) -> None:
    home.execute(UNLOCK, session=ME)
    assert home.confirm("yes", ME, 7, lambda turn_id: False).error == "cancelled"
    assert home.confirm("yes", ME).error == "nothing_asked"
    assert payloads(simulated, "front_door") == []


def test_a_room_with_a_lock_in_it_is_darkened_and_stays_locked(
    home: Home, simulated: SimulatedHome
) -> None:
    home.execute(Call.of("HassTurnOn", name="hallway light"))
    outcome = home.execute(Call.of("HassTurnOff", area="hallway"), session=ME)
    assert statuses(outcome) == {"hallway light": "confirmed"}
    assert outcome.error == "needs_confirmation"
    assert outcome.facts["unlock"] == "front door"
    assert simulated.state("front_door") == {"state": "LOCKED"}
    assert statuses(home.confirm("yes", ME)) == {"front door": "confirmed"}


def test_the_sixth_command_at_once_is_told_as_too_many(
    home: Home, simulated: SimulatedHome
) -> None:
    for _ in range(5):
        assert statuses(home.execute(ON)) == {"standing light": "confirmed"}
    outcome = home.execute(ON)
    assert (outcome.error, outcome.results) == ("too_fast", ())
    assert outcome.facts == {"too_fast": "standing light"}
    assert len(payloads(simulated, "standing_light")) == 5
    room = home.execute(Call.of("HassTurnOn", area="living room"))
    assert room.facts == {"too_fast": "standing light"}
    assert statuses(room) == {"ceiling light": "confirmed"}


def test_undo_leads_back_what_was_confirmed_and_nothing_else(
    broker: Mosquitto, simulated: SimulatedHome
) -> None:
    with Home(broker.address, timeout_s=2.0) as home:
        home.wait_connected(20)
        until_all_known(home, simulated)
        home.execute(Call.of("HassLightSet", name="standing light", brightness=40))
        simulated.set_fault("ceiling_light", Fault(silent=True))
        assert statuses(home.execute(Call.of("HassTurnOff", area="living room"))) == {
            "standing light": "confirmed", "ceiling light": "timeout",
        }  # fmt: skip
        undone = home.execute(UNDO)
        assert (undone.error, statuses(undone)) == (None, {"standing light": "confirmed"})
        assert simulated.state("standing_light") == {"state": "ON", "brightness": 102}
        assert len(payloads(simulated, "ceiling_light")) == 1
        home.execute(UNDO)
        assert simulated.state("standing_light")["state"] == "OFF"
        assert home.execute(UNDO).error == "nothing_to_undo"


def test_undoing_a_lock_is_unlocking_and_needs_a_yes(home: Home, simulated: SimulatedHome) -> None:
    simulated.change("front_door", state="UNLOCKED")
    until(lambda: by_name(home, "front door").state.value == "unlocked")
    home.execute(Call.of("HassTurnOn", name="front door"))
    asked = home.execute(UNDO, session=ME)
    assert (asked.error, asked.facts["unlock"]) == ("needs_confirmation", "front door")
    assert simulated.state("front_door") == {"state": "LOCKED"}
    assert statuses(home.confirm("yes", ME)) == {"front door": "confirmed"}
    assert simulated.state("front_door") == {"state": "UNLOCKED"}


def test_undo_after_a_timer_does_not_reach_past_it(home: Home, simulated: SimulatedHome) -> None:
    home.execute(ON)
    home.execute(Call.of("HassStartTimer", minutes=5))
    assert home.execute(UNDO).error == "cannot_undo"
    assert simulated.state("standing_light")["state"] == "ON"
    home.execute(Call.of("HassGetCurrentTime"))
    assert home.execute(UNDO).error is None
    assert simulated.state("standing_light")["state"] == "OFF"
