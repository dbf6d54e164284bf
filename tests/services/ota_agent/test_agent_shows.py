"""What an updater offers and tells the owner, by way of the voice daemon."""

from __future__ import annotations

import itertools

import pytest

from ota.machine import Stage
from services.local_socket import SocketError
from services.ota_agent.agent import Wish
from services.voice.trial.words import VoiceState
from tests.support.updated_box import SOON, UpdatedBox

CLOSED = [{"until_bucket": 1, "start": "2026-03-01T00:00:00Z"}]
OPEN = [{"until_bucket": 2048, "start": "2026-03-01T00:00:00Z"}]


def test_home_assistant_offers_what_is_rolled_out_before_its_wave(box: UpdatedBox) -> None:
    box.publish("new", 1, notes="Hears better.", **SOON)
    box.roll_out(1, waves=CLOSED)
    box.by_waves()
    box.tick()
    assert box.stage is None
    assert (box.voice.told[-1].latest, box.voice.told[-1].notes) == ("1.1", "Hears better.")
    box.voice.wish = "1.1"
    box.clock.now += 3
    box.tick()
    box.run()
    assert box.stage is Stage.COMMITTED
    box.run(3)
    assert box.voice.told[-1].latest == "", "it is there"


@pytest.mark.parametrize("how", [{"waves": OPEN, "paused": True}, {"waves": []}])
def test_what_is_paused_or_for_nobody_is_not_offered(
    box: UpdatedBox, how: dict[str, object]
) -> None:
    box.publish("new", 1, **SOON)
    box.roll_out(1, **how)
    box.by_waves()
    box.run(3)
    assert box.voice.told[-1].latest == ""


def test_a_roll_out_of_what_nobody_signed_offers_nothing(box: UpdatedBox) -> None:
    box.roll_out(7, waves=CLOSED)
    box.by_waves()
    box.run(3)
    assert box.voice.told[-1].latest == ""
    assert box.agent.unanswered == "", "the roll-out itself was understood"


def test_the_owner_reads_what_is_new_until_it_is_installed(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, notes="Hears better.", **SOON), install="not yet")
    for _ in range(2):
        box.tick()
    box.voice.told.clear()
    box.restart()
    box.agent.wish(Wish("install", "1.1"))
    box.run()
    assert [(told.latest, told.notes) for told in (box.voice.told[0], box.voice.told[-1])] == [
        ("1.1", "Hears better."), ("", ""),
    ]  # fmt: skip


def test_a_voice_daemon_that_was_restarted_is_told_again(box: UpdatedBox) -> None:
    box.run()
    box.voice.told.clear()
    for _ in range(10):
        box.tick()
    assert len(box.voice.told) == 1


def test_a_voice_daemon_that_hangs_is_not_asked_at_every_tick(box: UpdatedBox) -> None:
    asked: list[float] = []

    def hang() -> VoiceState:
        asked.append(box.clock.now)
        box.clock.now += 5
        raise SocketError("voice.sock: no answer in time")

    box.voice.look = hang  # type: ignore[method-assign]
    for _ in range(30):
        box.tick()
    assert [later - now for now, later in itertools.pairwise(asked)] == [8] * 9
