"""An updater's days: releases come, are tried, stay or go; owners and sources have their say."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from ota.deferral import MOST_DEFERRED_S
from ota.errors import Reason
from ota.machine import MOST_ROLLED_BACK, TRIES, Stage
from ota.rollout.source import Assignment
from services.local_socket import SocketError
from services.ota_agent.agent import Wish
from services.ota_agent.desk import AgentDesk
from services.ota_agent.soaking import KEEP_S
from services.ota_agent.work import Stopped
from services.voice.trial.words import VoiceState
from tests.support.updated_box import UpdatedBox

CLOSED = [{"until_bucket": 1, "start": "2026-03-01T00:00:00Z"}]
OPEN = [{"until_bucket": 2048, "start": "2026-03-01T00:00:00Z"}]
SOON = {"gate": {"soak_turns": 0}}


@pytest.fixture
def box(tmp_path: Path) -> UpdatedBox:
    return UpdatedBox(tmp_path)


def stage(box: UpdatedBox) -> Stage | None:
    update = box.journal.read().update
    return update.stage if update else None


def test_a_good_release_comes_to_serve_and_everybody_is_told(box: UpdatedBox) -> None:
    box.fleet.connected = True
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert stage(box) is Stage.COMMITTED
    assert box.content == b"voice new"
    assert box.current == box.voice.serving
    assert box.source.ends == [("committed", "")]
    assert box.trusted.running() == 1, "older ones are refused from now on"
    assert box.fleet.gates == [True]
    assert box.fleet.events == [
        "assigned", "downloading", "verified", "staged", "wait_quiet", "proving", "switching",
        "soaking", "committed",
    ]  # fmt: skip
    assert box.voice.told[-1].installed == "1.1"
    assert box.fleet.states[-1].release == "1.1"


def test_of_many_releases_two_are_kept(box: UpdatedBox) -> None:
    for counter in (1, 2, 3):
        box.want(box.publish(f"new {counter}", counter, **SOON), action=str(counter))
        box.run()
    assert [g.name[:6] for g in box.generations.installed()] == ["000003", "000004"]
    assert box.content == b"voice new 3"


def test_a_release_that_fails_its_gate_never_serves_and_is_not_tried_again(box: UpdatedBox) -> None:
    box.voice.verdict = Reason.GATE_CALL
    before = box.current
    box.want(box.publish("bad", 1))
    box.run()
    assert stage(box) is Stage.ROLLED_BACK
    assert (box.current, box.voice.serving) == (before, before)
    assert box.source.ends == [("rolled_back", "GATE_CALL")]
    assert [g.name for g in box.generations.installed()] == [before], "it is removed"
    box.clock.now += 10**6
    box.run(5)
    assert len(box.voice.gates) == 1
    box.want("models/pc-x86-64/1.1/release.json", action="another")
    box.run()
    assert box.source.ends[-1] == ("failed", "REJECTED_BEFORE")


def test_real_turns_that_fail_in_the_soak_lead_back(box: UpdatedBox) -> None:
    before = box.current
    box.want(box.publish("bad", 1, gate={"soak_turns": 3}))
    original, looks = box.voice.look, []

    def look():  # type: ignore[no-untyped-def]
        looks.append(box.voice.serving)
        if len(looks) > 10 and box.voice.serving != before:
            box.voice.turns, box.voice.failed = 1, 1
        return original()

    box.voice.look = look  # type: ignore[method-assign]
    box.run()
    assert box.source.ends == [("rolled_back", "SOAK")]
    assert box.content == b"voice factory"


def test_a_restart_of_the_updater_does_not_begin_the_soak_again(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, gate={"soak_turns": 9, "soak_seconds": 600}))
    watched: list[float] = []

    def die_once_after_400_s() -> None:
        if stage(box) is Stage.SOAKING:
            watched.append(box.clock.now)
            if len(watched) == 400:
                raise Stopped

    box.clock.meanwhile = die_once_after_400_s
    for _ in range(12):
        box.tick()
    assert stage(box) is Stage.SOAKING
    box.restart()
    box.run()
    assert stage(box) is Stage.COMMITTED
    assert 600 <= len(watched) <= 600 + KEEP_S + 2


def test_a_daemon_that_dies_in_every_gate_is_left_alone_after_three(box: UpdatedBox) -> None:
    box.voice.dies_in_gate = 100
    box.want(box.publish("bad", 1))
    box.run()
    assert len(box.voice.gates) == TRIES
    assert box.source.ends == [("rolled_back", "CRASH")]
    assert box.content == b"voice factory"


def test_one_death_in_the_gate_is_forgiven(box: UpdatedBox) -> None:
    box.voice.dies_in_gate = 1
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert stage(box) is Stage.COMMITTED


def test_a_power_cut_between_any_two_ticks_costs_nothing(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, **SOON))
    for _ in range(30):
        box.tick()
        box.restart()
        box.voice.restart()
        if stage(box) is Stage.COMMITTED:
            break
    assert stage(box) is Stage.COMMITTED
    assert box.content == b"voice new"
    box.run()
    assert box.source.ends == [("committed", "")]


def test_a_final_report_waits_for_a_source_that_is_away(box: UpdatedBox) -> None:
    box.source.deaf = True
    box.want(box.publish("new", 1, **SOON))
    box.run(20)
    box.restart()
    box.source.deaf = False
    box.clock.now += 400
    box.run()
    assert box.source.ends == [("committed", "")]
    assert box.journal.read().unsent == ()


def test_a_source_that_takes_it_back_before_the_trial_is_obeyed(box: UpdatedBox) -> None:
    box.voice.quiet_s = 0
    box.want(box.publish("new", 1))
    for _ in range(4):
        box.tick()
    box.source.wanted = None
    box.clock.now += 20
    box.run(3)
    assert box.source.ends == [("failed", "CANCELLED")]
    assert box.content == b"voice factory"


def test_bad_luck_is_tried_again_hours_later(box: UpdatedBox) -> None:
    box.shelf.empty = True
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert box.source.ends == [("failed", "UNREACHABLE")]
    box.shelf.empty = False
    box.run(30)
    assert stage(box) is Stage.FAILED
    box.clock.now += 6 * 3600
    box.run()
    assert box.source.ends[-1] == ("committed", "")


def test_a_release_for_other_devices_is_refused_before_a_byte_is_fetched(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, compat={"memory_mb": 16_000}))
    box.shelf.files.clear()
    box.run()
    assert box.source.ends == [("failed", "MISFIT")]


def test_an_unsigned_release_is_refused(box: UpdatedBox) -> None:
    box.publish("new", 1)
    box.want("models/pc-x86-64/9.9/release.json")
    box.run()
    assert box.source.ends == [("failed", "UNTRUSTED")]


def test_a_release_that_nobody_could_follow_is_rolled_back(box: UpdatedBox) -> None:
    """It passes its gate, but no server and no broker can be reached from the device any more."""
    box.want(box.publish("new", 1))
    for _ in range(3):
        box.tick()
    box.shelf.empty = True
    box.run()
    assert box.source.ends == [("rolled_back", "GATE_CONTROL")]


def test_an_older_release_than_the_one_committed_is_refused(box: UpdatedBox) -> None:
    older = box.publish("old", 1, **SOON)
    box.want(box.publish("new", 2, **SOON), action="two")
    box.run()
    box.want(older, action="three")
    box.run()
    assert box.source.ends == [("committed", ""), ("failed", "TOO_OLD")]


def test_after_a_signed_downgrade_the_fleet_is_told_what_is_installed(box: UpdatedBox) -> None:
    box.fleet.connected = True
    box.publish("good", 1, **SOON)
    box.want(box.publish("bad", 2, **SOON), action="two")
    box.run()
    assert (box.fleet.states[-1].release, box.fleet.states[-1].counter) == ("1.2", 2)
    box.roll_out(1, downgrade_to=1, waves=OPEN)
    box.by_waves()
    box.run()
    assert box.content == b"voice good"
    assert (box.fleet.states[-1].release, box.fleet.states[-1].counter) == ("1.1", 1)
    assert box.trusted.running() == 2, "the floor stays"
    box.agent.wish(Wish("rollback"))
    box.run()
    assert (box.fleet.states[-1].release, box.fleet.states[-1].counter) == (None, None)


# --- waiting ------------------------------------------------------------------------------------


def test_by_day_it_is_fetched_and_waits_for_the_night(box: UpdatedBox) -> None:
    box.clock.now = 10 * 3600  # one in the afternoon
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert stage(box) is Stage.COMMITTED
    assert box.clock.local().hour in range(2, 5)


def test_an_assignment_that_is_only_to_be_fetched_is_not_installed(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1), install="not yet")
    for _ in range(4):
        box.tick()
    assert stage(box) is Stage.STAGED, "after days of waiting"
    assert box.content == b"voice factory"
    assert not box.voice.gates


def test_a_closed_wave_holds_the_release_back_and_the_owner_does_not_wait_for_it(
    box: UpdatedBox,
) -> None:
    target = box.publish("new", 1, **SOON)
    box.roll_out(1, waves=CLOSED)
    box.agent.wish(Wish("install"))
    box.run()
    assert stage(box) is Stage.COMMITTED
    assert box.journal.read().running == target


def test_who_asks_to_wait_is_heard(box: UpdatedBox) -> None:
    box.agent.defer(1800, "guests")
    box.want(box.publish("new", 1, **SOON))
    before = box.clock.now
    box.run()
    assert box.clock.now - before >= 1800
    assert stage(box) is Stage.COMMITTED
    assert box.agent.deferral().until == 0, "the wish was for this update"


def test_a_wish_to_wait_outlives_an_update_that_fails_or_is_replaced(box: UpdatedBox) -> None:
    until = box.agent.defer(5 * 86_400, "guests").until
    box.shelf.empty = True
    box.want(box.publish("missing", 1, **SOON), action="fails")
    box.run()
    assert (stage(box), box.agent.deferred_until()) == (Stage.FAILED, until)
    box.shelf.empty = False
    box.want(box.publish("old", 2, **SOON), action="replaced", install="not yet")
    box.agent.poll_soon(0)
    for _ in range(4):
        box.tick()
    assert (stage(box), box.agent.deferred_until()) == (Stage.STAGED, until)
    box.want(box.publish("new", 3, **SOON), action="comes")
    box.run()
    box.run()
    assert [reason for _, reason in box.source.ends] == ["UNREACHABLE", "CANCELLED", ""]
    assert (stage(box), box.content) == (Stage.COMMITTED, b"voice new")
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
    assert stage(box) is Stage.COMMITTED
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
    assert stage(box) is Stage.COMMITTED
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
    assert stage(box) is Stage.COMMITTED
    assert box.clock.local().hour == 13


def test_home_assistant_can_ask_for_the_newest(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, **SOON), install="not yet")
    box.tick()
    assert box.voice.told[-1].latest == "1.1"
    box.voice.wish = "1.1"
    box.clock.now += 3  # it looks every few seconds
    box.run()
    assert stage(box) is Stage.COMMITTED


def test_home_assistant_offers_what_is_rolled_out_before_its_wave(box: UpdatedBox) -> None:
    box.publish("new", 1, notes="Hears better.", **SOON)
    box.roll_out(1, waves=CLOSED)
    box.by_waves()
    box.tick()
    assert stage(box) is None
    assert (box.voice.told[-1].latest, box.voice.told[-1].notes) == ("1.1", "Hears better.")
    box.voice.wish = "1.1"
    box.clock.now += 3
    box.tick()
    box.run()
    assert stage(box) is Stage.COMMITTED
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


def test_the_owner_goes_back_and_stays_there(box: UpdatedBox) -> None:
    target = box.publish("new", 1, **SOON)
    box.want(target)
    box.run()
    box.agent.wish(Wish("rollback"))
    box.run()
    assert box.content == b"voice factory"
    assert box.current == box.voice.serving
    box.want(target, action="again")
    box.run()
    assert box.source.ends[-1] == ("failed", "REJECTED_BEFORE")
    assert box.voice.told[-1].latest == "", "what is rejected is nothing to be installed"
    box.agent.wish(Wish("install", "1.1"))
    box.run()
    assert box.content == b"voice new", "but the owner's word is the owner's word"


def test_three_roll_backs_in_a_row_wait_for_a_person(box: UpdatedBox) -> None:
    box.voice.verdict = Reason.GATE_LATENCY
    for counter in range(1, MOST_ROLLED_BACK + 1):
        box.want(box.publish(f"bad{counter}", counter), action=str(counter))
        box.run()
    box.voice.verdict = None
    box.want(box.publish("good", 9, **SOON), action="nine")
    box.run()
    assert box.source.ends[-1] == ("failed", "STOPPED")
    box.agent.wish(Wish("install", "1.9"))
    box.run()
    assert box.content == b"voice good"


def test_the_status_says_whether_anybody_judged_the_reply(box: UpdatedBox) -> None:
    desk = AgentDesk(box.agent, box.generations, box.journal.read)
    assert desk.status()["gate"] is None
    for counter, (recognised, said) in enumerate(
        ((None, "not judged"), (True, "recognised"), (False, "not recognised")), start=1
    ):
        box.voice.recognised = recognised
        box.want(box.publish(f"new{counter}", counter, **SOON), action=str(counter))
        box.run()
        assert (desk.status()["gate"]["passed"], desk.status()["gate"]["reply"]) == (True, said)


def test_what_the_owner_names_wrongly_is_said_in_the_status(box: UpdatedBox) -> None:
    desk = AgentDesk(box.agent, box.generations, box.journal.read)
    desk.answer({"do": "install"})
    box.tick()
    assert "no roll-out" in desk.status()["fault"]
    desk.answer({"do": "defer", "seconds": 60, "why": "guests"})
    assert desk.status()["deferred_until"] > 0
    for wrong in ({"do": "explode"}, {"do": "install", "release": "../etc"}, {"do": "defer"}):
        with pytest.raises(ValueError, match="not a question"):
            desk.answer(wrong)


def test_a_device_without_a_generation_gets_one_to_go_back_to(tmp_path: Path) -> None:
    box = UpdatedBox(tmp_path)
    for link in ("current", "previous"):
        (tmp_path / "models" / link).unlink(missing_ok=True)
    box.voice.serving = ""
    box.voice.verdict = Reason.GATE_LOAD
    box.want(box.publish("bad", 1))
    box.run()
    assert box.source.ends == [("rolled_back", "GATE_LOAD")]
    assert box.content == b"voice factory"


def test_assignments_are_compared_by_action_and_target(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, **SOON))
    box.run()
    box.source.wanted = Assignment("one", box.publish("newer", 2, **SOON))
    box.clock.now += 100
    box.run()
    assert box.content == b"voice newer"
