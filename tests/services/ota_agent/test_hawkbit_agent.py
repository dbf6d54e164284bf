"""The real updater's loop and journal with the real hawkBit client, up to the server's books."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from pathlib import Path

import pytest

from ota.deferral import Hours
from ota.errors import Reason
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import Effect, Outcome, Result, Update
from ota.phases import Phase
from ota.release import Facts, Release
from ota.rollout.hawkbit import HawkbitDdi, Server
from services.ota_agent.agent import Agent, Parts, Wish
from services.ota_agent.fleet_status import Nobody
from services.voice.trial.words import Tell, VoiceState
from tests.support.ddi_double import Action, DdiDouble, Status
from tests.support.ddi_web import DdiWeb

TARGET = "models/pc-x86-64/2026.3/release.json"
FACTS = Facts(device_class="pc-x86-64", memory_mb=8000, app="0.4")
SERVER = Server("https://hawkbit.example", "spk-1")
BEGIN = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


class Work:
    """Every effect ends at once: well, unless a test says how."""

    def __init__(self) -> None:
        self.ends: dict[Effect, Result | None] = {}
        self._at: Effect | None = None

    def start(self, effect: Effect, update: Update) -> None:
        self._at = effect

    def poll(self) -> Result | None:
        assert self._at is not None
        return self.ends.get(self._at, Result(Outcome.DONE))

    def abandon(self) -> None:
        self._at = None


class Voice:
    """A voice daemon that has nothing to say."""

    def look(self) -> VoiceState:
        return VoiceState()

    def serve(self, generation: str) -> VoiceState:
        return VoiceState()

    def tell(self, told: Tell) -> VoiceState:
        return VoiceState()


class Nothing:
    """No signed roll-out, nothing committed."""

    def newest(self) -> str | None:
        return None

    def offered(self) -> Release | None:
        return None


class Rig:
    """A device on a clock of its own. What is in ``folder`` survives ``power_cut``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seconds = folder, 0.0
        self.journal = Journal(folder / "ota")
        self.hawkbit = DdiDouble()
        self.hawkbit.origin = SERVER.url
        self.web, self.work = DdiWeb(self.hawkbit), Work()
        self.agent = self.started()

    def started(self) -> Agent:
        journal = self.journal

        def standing(action: str) -> Phase | None:
            update = journal.read().update
            return update.stage.phase if update and update.action == action else None

        source = HawkbitDdi(SERVER, FACTS, self.web, standing=standing, chance=lambda: 0.5)
        agent = Agent(
            Parts(
                journal=journal, worker=lambda agent: self.work, source=source,
                rollouts=Nothing(), generations=Generations(self.folder / "models"),
                voice=Voice(), fleet=Nobody(), device_class="pc-x86-64",
                deferral=self.folder / "deferral.json", lock_file=self.folder / "hold",
                hours=Hours(time(0), time(0)), poll_s=lambda: source.wait_s,
                clock=lambda: self.seconds,
                local=lambda: BEGIN + timedelta(seconds=self.seconds), chance=lambda: 0.5,
            )
        )  # fmt: skip
        agent.resume()
        return agent

    def live(self, seconds: float) -> None:
        """Ticks, ten seconds apart."""
        until = self.seconds + seconds
        while self.seconds < until:
            self.agent.tick()
            self.seconds += 10

    def power_cut(self) -> None:
        self.agent = self.started()

    def assign(self) -> Action:
        return self.hawkbit.assign("spk-1", TARGET)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("number", [1, 10, 2**53])
def test_an_update_goes_through_and_the_server_knows_each_step(rig: Rig, number: int) -> None:
    rig.hawkbit.next_id = number
    action = rig.assign()
    rig.live(900)
    assert action.status is Status.FINISHED
    told = list(dict.fromkeys(action.executions))
    assert told[-3:] == ["downloaded", "proceeding", "closed"]
    assert rig.hawkbit.devices["spk-1"].attributes["class"] == "pc-x86-64"


def test_a_release_that_fails_its_gate_is_an_error_with_its_code(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.PROVE] = Result(Outcome.FAILED, Reason.GATE_CALL, "another call")
    rig.live(900)
    assert action.status is Status.ERROR
    assert action.history[-1]["status"]["code"] == Reason.GATE_CALL


def test_an_end_is_told_after_a_night_without_a_network(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.SOAK] = None
    rig.live(900)
    rig.web.loses_request = lambda: True
    rig.work.ends.clear()
    rig.live(8 * 3600)
    assert action.active
    rig.power_cut()
    rig.live(900)
    rig.web.loses_request = lambda: False
    rig.live(900)
    assert action.status is Status.FINISHED
    assert action.executions.count("closed") == 1


def test_what_ended_without_a_network_is_not_begun_again_when_it_is_back(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.SOAK] = None
    rig.live(900)
    rig.web.loses_request = lambda: True
    rig.work.ends.clear()
    rig.live(300)
    rig.agent.wish(Wish("install", "2026.4"))
    rig.live(900)
    rig.web.loses_request = lambda: False
    rig.live(1800)
    assert action.status is Status.FINISHED
    update = rig.journal.read().update
    assert update is not None
    assert update.target.endswith("2026.4/release.json"), "the owner's word stands"


def test_a_lost_answer_to_the_end_does_no_harm(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.SOAK] = None
    rig.live(900)
    rig.web.loses_answer = lambda: not action.active
    rig.work.ends.clear()
    rig.live(900)
    rig.web.loses_answer = lambda: False
    rig.live(900)
    assert action.status is Status.FINISHED
    assert rig.hawkbit.active("spk-1") is None


def percents(action: Action) -> list[int]:
    """Progress, as the server was told of it while bytes came."""
    told = [entry["status"] for entry in action.history]
    found = [
        status["result"].get("progress") for status in told if status["execution"] == "download"
    ]
    return [progress["cnt"] for progress in found if progress is not None]


def test_the_server_hears_of_a_long_download_and_not_too_often(rig: Rig) -> None:
    first = rig.assign()
    rig.work.ends[Effect.FETCH] = None
    for percent in range(101):
        rig.live(30)
        rig.agent.progress = (percent, 100)
    rig.work.ends.clear()
    rig.live(900)
    assert percents(first) == [*range(0, 100, 10)]
    second = rig.assign()
    rig.live(900)
    assert second.status is Status.FINISHED
    assert percents(second) == [], "nothing that is true of the one before is told of it"


def test_progress_that_is_not_taken_does_not_hold_back_the_end(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.FETCH] = None
    rig.live(900)
    rig.web.loses_request = lambda: True
    rig.agent.progress = (10, 100)
    rig.live(10)
    rig.web.loses_request = lambda: False
    rig.work.ends[Effect.FETCH] = Result(Outcome.FAILED, Reason.TOO_SLOW)
    rig.live(20)
    assert action.status is Status.ERROR


@pytest.mark.parametrize("stage", [Effect.FETCH, Effect.AWAIT_QUIET])
def test_what_is_taken_back_in_time_is_not_installed(rig: Rig, stage: Effect) -> None:
    action = rig.assign()
    rig.work.ends[stage] = None
    rig.live(900)
    rig.hawkbit.cancel(action)
    rig.live(900)
    assert action.status is Status.CANCELED
    rig.work.ends.clear()
    rig.live(12 * 3600)
    assert action.status is Status.CANCELED
    assert rig.hawkbit.devices["spk-1"].installed is None


def test_what_is_taken_back_during_the_trial_goes_on_to_its_end(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.SOAK] = None
    rig.live(900)
    rig.hawkbit.cancel(action)
    rig.live(900)
    assert "rejected" in action.executions
    rig.work.ends.clear()
    rig.live(900)
    assert action.status is Status.FINISHED


def test_after_a_power_cut_the_update_goes_on_and_says_so(rig: Rig) -> None:
    action = rig.assign()
    rig.work.ends[Effect.FETCH] = None
    rig.live(900)
    rig.power_cut()
    rig.work.ends.clear()
    rig.live(900)
    assert "resumed" in action.executions
    assert action.status is Status.FINISHED


def test_another_release_replaces_one_that_has_not_begun_its_trial(rig: Rig) -> None:
    first = rig.assign()
    rig.work.ends[Effect.FETCH] = None
    rig.live(900)
    rig.work.ends.clear()
    second = rig.hawkbit.assign("spk-1", TARGET.replace("2026.3", "2026.4"))
    rig.live(1800)
    assert first.status is Status.CANCELED
    assert second.status is Status.FINISHED
