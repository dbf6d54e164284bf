"""An updater's days: releases come, are tried, stay or go; owners and sources have their say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ota.errors import Reason
from ota.machine import MOST_ROLLED_BACK, TRIES, Stage
from ota.rollout.source import Assignment
from services.ota_agent.agent import Wish
from services.ota_agent.desk import AgentDesk
from services.ota_agent.soaking import KEEP_S
from services.ota_agent.work import Stopped
from tests.support.updated_box import SOON, UpdatedBox

CLOSED = [{"until_bucket": 1, "start": "2026-03-01T00:00:00Z"}]
OPEN = [{"until_bucket": 2048, "start": "2026-03-01T00:00:00Z"}]


def test_a_good_release_comes_to_serve_and_everybody_is_told(box: UpdatedBox) -> None:
    box.fleet.connected = True
    box.want(box.publish("new", 1, **SOON))
    box.run()
    assert box.stage is Stage.COMMITTED
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
    assert box.stage is Stage.ROLLED_BACK
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
        if box.stage is Stage.SOAKING:
            watched.append(box.clock.now)
            if len(watched) == 400:
                raise Stopped

    box.clock.meanwhile = die_once_after_400_s
    for _ in range(12):
        box.tick()
    assert box.stage is Stage.SOAKING
    box.restart()
    box.run()
    assert box.stage is Stage.COMMITTED
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
    assert box.stage is Stage.COMMITTED


def test_a_power_cut_between_any_two_ticks_costs_nothing(box: UpdatedBox) -> None:
    box.want(box.publish("new", 1, **SOON))
    for _ in range(30):
        box.tick()
        box.restart()
        box.voice.restart()
        if box.stage is Stage.COMMITTED:
            break
    assert box.stage is Stage.COMMITTED
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
    assert box.stage is Stage.FAILED
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
