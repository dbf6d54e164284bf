"""What is said of covers, climate devices and their like: what has come true, and no more."""

from __future__ import annotations

import pytest

from services.language.calls import Call
from services.language.outcome import DeviceResult, Outcome, Status
from services.language.replies import replies


def result(entity_id: str, status: Status = "confirmed", state: str | None = None) -> DeviceResult:
    return DeviceResult(entity_id, entity_id.partition(".")[2].replace("_", " "), status, state)


@pytest.mark.parametrize(
    ("asked", "results", "said"),
    [
        (Call.of("HassTurnOn"), [result("cover.blind")], "the blind is open"),
        (Call.of("HassTurnOff"), [result("valve.tap")], "the tap is closed"),
        (Call.of("HassTurnOn"), [result("cover.blind", state="opening")], "the blind is opening"),
        (Call.of("HassTurnOff"), [result("lock.door")], "the door is unlocked"),
        (Call.of("HassTurnOn"), [result("lock.door")], "the door is locked"),
        (Call.of("HassTurnOff"), [result("vacuum.robot", state="returning")],
         "the robot is returning to its base"),
        (Call.of("HassSetPosition", position=40), [result("cover.blind")],
         "the blind is at forty percent"),
        (Call.of("HassSetPosition", position=0), [result("cover.blind")], "the blind is closed"),
        (Call.of("HassSetPosition", position=40), [result("cover.blind", state="closing")],
         "the blind is closing"),
        (Call.of("HassStopMoving"), [result("cover.blinds")], "the blinds are stopped"),
        (Call.of("HassClimateSetTemperature", temperature="21.5"), [result("climate.heater")],
         "the heater is set to twenty one point five degrees"),
        (Call.of("HassClimateSetHvacMode", mode="fan_only"), [result("climate.heater")],
         "the heater is set to fan only"),
        (Call.of("HassClimateSetHvacMode", mode="off"), [result("climate.heater")],
         "the heater is off"),
        (Call.of("HassClimateSetFanMode", fan_mode="high"), [result("climate.heater")],
         "the heater is set to fan mode high"),
        (Call.of("HassFanSetSpeed", percentage=50), [result("fan.fan")],
         "the fan is at fifty percent"),
        (Call.of("HassFanSetSpeed", percentage=0), [result("fan.fan")], "the fan is off"),
        (Call.of("HassHumidifierSetpoint", humidity=45), [result("humidifier.mist")],
         "the mist is set to forty five percent"),
        (Call.of("HassVacuumStart"), [result("vacuum.robot")], "the robot is cleaning"),
        (Call.of("LinnetSetNumber", value=-3), [result("number.gain")],
         "the gain is set to minus three"),
        (Call.of("LinnetSelectOption", option="rain_bow"), [result("select.effect")],
         "the effect is set to rain bow"),
        (Call.of("LinnetSetText", value="a secret"), [result("text.sign")], "the sign is set"),
        (Call.of("LinnetArm", mode="away"), [result("alarm_control_panel.alarm")],
         "the alarm is armed away"),
        (Call.of("LinnetArm", mode="away"), [result("alarm_control_panel.alarm", state="pending")],
         "the alarm is arming"),
        (Call.of("HassLightSet", temperature=2700), [result("light.lamp")],
         "the lamp is at two thousand seven hundred kelvin"),
        (Call.of("LinnetAdjust", quantity="brightness", direction="down", area="den"),
         [result("light.lamp"), result("light.pendant")], "the den lights are dimmer"),
        (Call.of("LinnetAdjust", quantity="position", direction="up", name="blind"),
         [result("cover.blind", state="opening")], "the blind is opening"),
        (Call.of("HassTurnOn"), [result("scene.movie", "sent")], "okay i sent that to the movie"),
        (Call.of("HassTurnOn", area="kitchen"),
         [result("light.lamp"), result("light.old_lamp", "sent")],
         "the lamp is on but the old lamp got the command and cannot confirm it"),
        (Call.of("HassTurnOn", area="kitchen"), [result("cover.a"), result("cover.b")],
         "the kitchen covers are open"),
        (Call.of("HassTurnOff", area="kitchen"), [result("fan.a"), result("light.b")],
         "the kitchen devices are off"),
        (Call.of("HassTurnOn", area="kitchen"),
         [result("cover.a"), result("cover.b", state="opening")],
         "the a is open and the b is opening"),
        (Call.of("HassSetPosition", position=10), [result("cover.blind", "timeout")],
         "the blind did not answer"),
    ],
)  # fmt: skip
def test_the_plainest_reply(asked: Call, results: list[DeviceResult], said: str) -> None:
    assert replies(Outcome(asked, tuple(results)))[0] == said


def test_every_reply_can_be_spoken() -> None:
    words = set("abcdefghijklmnopqrstuvwxyz' ")
    asked = Call.of("HassClimateSetTemperature", temperature="nonsense 21°")
    for said in replies(Outcome(asked, (result("climate.heater"),))):
        assert set(said) <= words
