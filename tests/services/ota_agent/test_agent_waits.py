"""What a release that is here waits for, and who may put it off or hurry it."""

from __future__ import annotations

import os

import pytest

from ota.deferral import MOST_DEFERRED_S
from ota.machine import Stage
from services.ota_agent.agent import Wish
from services.ota_agent.desk import AgentDesk
from tests.support.updated_box import SOON, UpdatedBox

CLOSED = [{"until_bucket": 1, "start": "2026-03-01T00:00:00Z"}]
OPEN = [{"until_bucket": 2048, "start": "2026-03-01T00:00:00Z"}]


def test_by_day_it_is_fetched_and_waits_for_the_night(box: UpdatedBox) -> None:
    box.clock.now = 10 * 3600  # one in the afternoon
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert box.stage is Stage.COMMITTED
    assert box.clock.local().hour in range(2, 5)


def test_an_assignment_that_is_only_to_be_fetched_is_not_installed(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1), install="not yet")
    for _ in range(4):
        box.tick()
    assert box.stage is Stage.STAGED, "after days of waiting"
    assert box.content == b"voice factory"
    assert not box.voice.gates


def test_a_closed_wave_holds_the_release_back_and_the_owner_does_not_wait_for_it(
    box: UpdatedBox,
) -> None:
    target = box.publish("new", 1, **SOON)
    box.roll_out(1, waves=CLOSED)
    box.agent.wish(Wish("install"))
    box.run()
    assert box.stage is Stage.COMMITTED
    assert box.journal.read().running == target


def test_who_asks_to_wait_is_heard(box: UpdatedBox) -> None:
    box.agent.defer(1800, "guests")
    box.want(box.publish("new", 1, **SOON))
    before = box.clock.now
    box.run()
    assert box.clock.now - before >= 1800
    assert box.stage is Stage.COMMITTED
    assert box.agent.deferral().until == 0, "the wish was for this update"


def test_a_wish_to_wait_outlives_an_update_that_fails_or_is_replaced(box: UpdatedBox) -> None:
    until = box.agent.defer(5 * 86_400, "guests").until
    box.shelf.empty = True
    box.want(box.publish("missing", 1, **SOON), action="fails")
    box.run()
    assert (box.stage, box.agent.deferred_until()) == (Stage.FAILED, until)
    box.shelf.empty = False
    box.want(box.publish("old", 2, **SOON), action="replaced", install="not yet")
    box.agent.poll_soon(0)
    for _ in range(4):
        box.tick()
    assert (box.stage, box.agent.deferred_until()) == (Stage.STAGED, until)
    box.want(box.publish("new", 3, **SOON), action="comes")
    box.run()
    box.run()
    assert [reason for _, reason in box.source.ends] == ["UNREACHABLE", "CANCELLED", ""]
    assert (box.stage, box.content) == (Stage.COMMITTED, b"voice new")
    assert box.clock.local().timestamp() >= until


def test_a_wish_to_wait_is_for_one_update_and_for_a_week(box: UpdatedBox) -> None:
    desk = AgentDesk(box.agent, box.generations, box.journal.read)
    defer = {"do": "defer", "seconds": 3600, "why": "guests"}
    desk.answer(defer)
    box.clock.now += 2 * MOST_DEFERRED_S
    assert desk.status()["deferred_until"] is None
    box.clock.now += 10 * 3600  # by day, so that it waits
    box.want(box.publish("new", 1, **SOON))
    box.voice.silent = True
    box.tick()
    for _ in range(2):
        assert desk.answer(defer)["deferred_until"] > box.clock.local().timestamp()
        box.clock.now += MOST_DEFERRED_S / 2
    with pytest.raises(ValueError, match="a week"):
        desk.answer(defer)
    box.agent.wish(Wish("rollback"))
    box.tick()
    assert desk.answer(defer)["deferred_until"] is not None, "nothing waits, so nothing is spent"


def test_a_lock_file_holds(box: UpdatedBox) -> None:
    box.lock_file.touch()
    stamp = box.clock.local().timestamp() - MOST_DEFERRED_S + 3600
    os.utime(box.lock_file, (stamp, stamp))
    box.want(box.publish("new", 1, **SOON))
    before = box.clock.now
    box.run()
    assert box.stage is Stage.COMMITTED
    assert box.clock.now - before >= 3600, "but not for more than a week"


def plan(box: UpdatedBox, generation: str) -> None:
    """What building leaves for one part of a bundle."""
    folder = box.folder / "plans" / generation.partition("-")[2]
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("plan", "json"):
        (folder / f"lm-trt10_3-sm87.{suffix}").touch()


def test_on_a_gpu_it_waits_until_the_engines_of_the_release_are_built(box: UpdatedBox) -> None:
    plan(box, box.current)
    box.want(box.publish("new", 1, **SOON))
    waited: list[float] = []

    def build() -> None:
        waited.append(box.clock.now)
        if len(waited) == 100:
            plan(box, box.generations.installed()[-1].name)

    box.clock.meanwhile = build
    box.run()
    assert box.stage is Stage.COMMITTED
    assert waited[99] - waited[0] > 900


def test_engines_that_never_come_are_a_reason_of_their_own(box: UpdatedBox) -> None:
    plan(box, box.current)
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert box.source.ends == [("failed", "ENGINE_BUILD")]
    assert box.content == b"voice factory"


# --- the owner ----------------------------------------------------------------------------------


def test_the_owner_hurries_what_waits(box: UpdatedBox) -> None:
    box.clock.now = 10 * 3600
    box.voice.silent = True  # so that nothing begins meanwhile
    target = box.publish("new", 1, **SOON)
    box.want(target)
    box.agent.wish(Wish("install", "1.1"))
    box.tick()
    update = box.journal.read().active
    assert update is not None
    assert (update.forced, update.install) == (True, "now")
    box.voice.silent = False
    box.run()
    assert box.stage is Stage.COMMITTED
    assert box.clock.local().hour == 13


def test_home_assistant_can_ask_for_the_newest(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, **SOON), install="not yet")
    box.tick()
    assert box.voice.told[-1].latest == "1.1"
    box.voice.wish = "1.1"
    box.clock.now += 3  # it looks every few seconds
    box.run()
    assert box.stage is Stage.COMMITTED
