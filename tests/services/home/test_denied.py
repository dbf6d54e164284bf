"""What the broker does not let through is known by its topic, whichever news comes first."""

from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from services.home.denied import MAX_EARLY, MAX_TOLD, Denied

YES = ReasonCode(PacketTypes.PUBACK, "Success")
NOBODY = ReasonCode(PacketTypes.PUBACK, "No matching subscribers")
NO = ReasonCode(PacketTypes.PUBACK, "Not authorized")


def test_a_message_is_denied_before_or_after_its_number_is_noted() -> None:
    denied = Denied("house:1883")
    assert denied.published(1, "lamp/set") is None
    assert denied.acknowledged(1, NO) == ("lamp/set", False)
    assert denied.acknowledged(2, NO) is None
    assert denied.published(2, "lock/set") is False
    assert denied.acknowledged(3, YES) is None
    assert denied.published(3, "fan/set") is True
    assert denied.published(4, "fan/set") is None
    assert denied.acknowledged(4, NOBODY) == ("fan/set", True)


def test_it_is_logged_once_for_each_topic_and_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    denied = Denied("house:1883")
    for mid in range(2 * MAX_TOLD):
        denied.published(mid, f"lamp{mid // 2}/set")
        denied.acknowledged(mid, NO)
    denied.asked(0, ["one", "two"])
    assert len(caplog.records) == MAX_TOLD
    assert caplog.records[0].getMessage() == (
        "MQTT broker house:1883 does not let us publish on 'lamp0/set': not authorized"
    )


def test_a_filter_that_is_refused_is_named(caplog: pytest.LogCaptureFixture) -> None:
    denied = Denied("house:1883")
    no = ReasonCode(PacketTypes.SUBACK, "Not authorized")
    denied.asked(7, ["lamps/#", "locks/#"])
    denied.subscribed(7, [ReasonCode(PacketTypes.SUBACK, "Granted QoS 1"), no])
    denied.subscribed(8, [no])
    denied.asked(8, ["doors/#"])
    assert [record.args[2] for record in caplog.records] == ["locks/#", "doors/#"]


def test_a_new_connection_begins_anew_and_answers_to_nothing_do_not_pile_up() -> None:
    denied = Denied("house:1883")
    denied.published(1, "lamp/set")
    denied.forget()
    for mid in range(1, 3 * MAX_EARLY):
        assert denied.acknowledged(mid, YES) is None
    assert len(denied._early) <= MAX_EARLY
