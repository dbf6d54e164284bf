"""Each spoken call is carried out by a real home, and what came of it can be said aloud."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from services.evaluate.held_out_set import WIDER
from services.evaluate.intents_home import announcements
from services.home.broker import BrokerLink
from services.home.executor import Home
from services.language.replies import replies
from services.language.sample import sample
from services.language.spoken import spoken
from tests.support.mosquitto import Mosquitto

SILENT_S = 0.01
"""Nobody answers in this home; no need to wait for it."""
UNDOABLE = {
    "HassClimateSetTemperature": "a wish outside what the device takes",
    "HassClimateSetHvacMode": "a mode the device does not have",
    "HassStartTimer": "longer than a timer lasts, or one too many",
    "HassIncreaseTimer": "longer than a timer lasts",
    "HassLightSet": "a room whose lights have no colour",
}
"""Calls that a home may find ``unsupported``, and why."""


@pytest.fixture
def home(broker: Mosquitto) -> Iterator[Home]:
    announcer = BrokerLink(broker.address, lambda message: None, lambda state: None)
    announcer.start()
    with Home(broker.address, here="living room", timeout_s=SILENT_S) as running:
        running.wait_connected(20)
        announcer.wait_connected(20)
        deadline = time.monotonic() + 60
        while len(running.entities()) < 60:
            assert time.monotonic() < deadline, "not all devices have been found"
            for place, payload in announcements("en"):
                announcer.publish(place, payload)
            running.wait_quiet(5, 0.3)
        yield running
    announcer.stop()


def test_what_is_said_is_done_and_answered(home: Home) -> None:
    rng, view, done = random.Random(5), home.view(), set()
    for topic in (*WIDER, "HassTurnOn", "HassTurnOff", "HassLightSet", "HassGetState"):
        for _ in range(12):
            drawn = sample(rng, view, frozenset({topic}))
            if drawn is None:  # without a map of the owner's, no room lies on a floor
                continue
            outcome = home.execute(drawn[1], session="tests")
            assert outcome.error != "unsupported" or drawn[1].name in UNDOABLE, drawn[0]
            said = replies(outcome)
            assert said
            assert all(text == spoken(text) for text in said)
            home.desk.replied(said[0])
            done.add(drawn[1].name)
    assert len(done) >= 25
