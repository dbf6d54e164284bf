"""What proves that a device did as told, and what does not."""

from __future__ import annotations

from services.home.commands import command
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
