"""What proves that a device did as told, and what does not."""

from __future__ import annotations

import pytest

from services.home.commands import command, proving_topics
from services.home.confirm import Confirmation
from services.home.entities import Registry
from services.language.calls import Call
from tests.services.home.things import light, registry

DIMMER = light(
    "Lamp", brightness_command_topic="dim", brightness_state_topic="level", brightness_scale=100,
    rgb_command_topic="rgb", rgb_state_topic="color", availability_topic="lwt",
)  # fmt: skip


class Asked:
    """A lamp that is on at forty percent and has just been told something else."""

    def __init__(self, call: Call) -> None:
        self.home: Registry = registry(DIMMER)
        for topic, payload in (("lwt", b"online"), ("Lamp", b"ON"), ("level", b"40")):
            self.home.hear(topic, payload, 0.0)
        (lamp,) = self.home.snapshot()
        self.confirmation = Confirmation()
        self.confirmation.expect(lamp, command(lamp, call).wish)

    def hears(self, topic: str, payload: bytes) -> str:
        for lamp in self.home.hear(topic, payload, 1.0):
            self.confirmation.heard(lamp, topic, 1.0)
        (result,) = self.confirmation.results()
        return result.status


def test_power_is_proved_by_power_only() -> None:
    asked = Asked(Call.of("HassTurnOn", name="lamp"))
    assert asked.hears("lwt", b"online") == "timeout"
    assert asked.hears("level", b"40") == "timeout"
    assert asked.hears("Lamp", b"garbage") == "timeout"
    assert not asked.confirmation.settled
    assert asked.hears("Lamp", b"ON") == "confirmed"
    assert asked.confirmation.settled


def test_brightness_is_proved_by_brightness_whatever_power_said_before() -> None:
    asked = Asked(Call.of("HassLightSet", name="lamp", brightness=70))
    assert asked.hears("Lamp", b"ON") == "timeout"
    assert asked.hears("level", b"55") == "timeout", "on its way"
    assert asked.hears("level", b"70") == "confirmed"


def test_colour_is_proved_by_colour() -> None:
    asked = Asked(Call.of("HassLightSet", name="lamp", color="red"))
    assert asked.hears("color", b"0,255,0") == "timeout"
    assert asked.hears("color", b"250,5,5") == "confirmed"


def test_brightness_that_is_right_while_power_is_off_is_not_enough() -> None:
    asked = Asked(Call.of("HassLightSet", name="lamp", brightness=70))
    assert asked.hears("Lamp", b"OFF") == "timeout"
    assert asked.hears("level", b"70") == "timeout"
    assert asked.hears("Lamp", b"ON") == "confirmed"


def test_who_leaves_while_we_wait_is_unavailable_and_stays_so() -> None:
    asked = Asked(Call.of("HassTurnOff", name="lamp"))
    assert asked.hears("lwt", b"offline") == "unavailable"
    assert asked.hears("Lamp", b"OFF") == "unavailable"


BLIND = (
    "cover/blind",
    {"name": "Blind", "command_topic": "set", "position_topic": "pos", "set_position_topic": "to"},
)


class Blind:
    """A blind that tells its position only, at forty percent, and was told something."""

    def __init__(self, call: Call, at: bytes = b"40", **more: object) -> None:
        place, body = BLIND
        self.home: Registry = registry((place, {**body, **more}))
        self.home.hear("pos", at, 0.0)
        (blind,) = self.home.snapshot()
        self.confirmation = Confirmation()
        self.confirmation.expect(blind, command(blind, call).wish)

    def hears(self, topic: str, payload: bytes) -> tuple[str, str | None]:
        for blind in self.home.hear(topic, payload, 1.0):
            self.confirmation.heard(blind, topic, 1.0)
        (result,) = self.confirmation.results()
        return result.status, result.state


def test_a_blind_on_its_way_is_told_as_such_and_not_as_arrived() -> None:
    assert Blind(Call.of("HassTurnOn")).hears("pos", b"45") == ("confirmed", "opening")
    assert Blind(Call.of("HassTurnOff")).hears("pos", b"35") == ("confirmed", "closing")
    assert Blind(Call.of("HassTurnOff")).hears("pos", b"0") == ("confirmed", None)


def test_a_blind_that_stays_or_goes_the_wrong_way_did_not_answer() -> None:
    assert Blind(Call.of("HassTurnOn")).hears("pos", b"40") == ("timeout", None)
    assert Blind(Call.of("HassTurnOn")).hears("pos", b"30") == ("timeout", None)
    to_half = Call.of("HassSetPosition", position=60)
    assert Blind(to_half).hears("pos", b"20") == ("timeout", None)
    assert Blind(to_half).hears("pos", b"58") == ("confirmed", None)


def test_a_blind_that_says_it_moves_the_other_way_is_not_believed() -> None:
    asked = Blind(Call.of("HassSetPosition", position=80), state_topic="state")
    assert asked.hears("state", b"closing") == ("timeout", None)
    assert asked.hears("state", b"opening") == ("confirmed", "opening")


def test_a_stop_is_proved_only_by_who_tells_that_it_stands() -> None:
    stop = Call.of("HassStopMoving")
    place, body = BLIND
    (silent,) = registry((place, body)).snapshot()
    assert proving_topics(silent.found.spec, command(silent, stop).wish) == frozenset()
    asked = Blind(stop, state_topic="state")
    assert asked.hears("state", b"closing") == ("timeout", None)
    assert asked.hears("state", b"stopped") == ("confirmed", None)


def test_one_topic_that_stands_for_another_proves_as_well() -> None:
    home = registry(
        ("switch/plug", {"name": "Plug", "command_topic": "set", "state_topic": "result",
                         "value_template": "{{ value_json.POWER }}",
                         "same_topics": [["report", "result"]]})
    )  # fmt: skip
    (plug,) = home.snapshot()
    confirmation = Confirmation()
    confirmation.expect(plug, command(plug, Call.of("HassTurnOn")).wish)
    for heard in home.hear("report", b'{"POWER": "ON"}', 1.0):
        assert confirmation.heard(heard, "report", 1.0)


def test_a_text_may_be_emptied() -> None:
    home = registry(("text/sign", {"name": "Sign", "command_topic": "set", "state_topic": "sign"}))
    (sign,) = home.snapshot()
    confirmation = Confirmation()
    confirmation.expect(sign, command(sign, Call.of("LinnetSetText", value="")).wish)
    (heard,) = home.hear("sign", b"", 1.0)
    assert confirmation.heard(heard, "sign", 1.0)


MOVIE = ("scene/movie", {"name": "Movie", "command_topic": "movie/set"})


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([], "timeout"),
        ([("curtain", True)], "timeout"),
        ([("curtain", True), ("movie/set", True)], "sent"),
        ([("curtain", False), ("movie/set", True)], "rejected"),
        ([("curtain", True), ("movie/set", False)], "rejected"),
        ([("movie/set", True), ("movie/set", True)], "timeout"),
    ],
)
def test_what_cannot_tell_is_sent_when_the_broker_has_taken_all_of_it(
    answers: list[tuple[str, bool]], status: str
) -> None:
    home = registry(MOVIE)
    (movie,) = home.snapshot()
    confirmation = Confirmation()
    wish = command(movie, Call.of("HassTurnOn")).wish
    confirmation.expect(movie, wish, ["curtain", "movie/set"])
    for topic, allowed in answers:
        confirmation.answered(topic, allowed)
    (result,) = confirmation.results()
    assert result.status == status
    assert confirmation.settled == (status != "timeout")


def test_what_can_tell_is_not_believed_because_the_broker_has_taken_it() -> None:
    asked = Asked(Call.of("HassTurnOn", name="lamp"))
    (lamp,) = asked.home.snapshot()
    asked.confirmation.expect(lamp, command(lamp, Call.of("HassTurnOn")).wish, ["Lamp/set"])
    asked.confirmation.answered("Lamp/set", True)
    assert not asked.confirmation.settled
    assert asked.hears("Lamp", b"ON") == "confirmed"
