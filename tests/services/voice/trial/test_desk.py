"""What the updater may ask of the voice daemon, over the real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from device.errors import BundleError, EngineError
from ota.errors import Reason
from ota.generations import Generations
from ota.release import Gate
from services.home.clock import Clocks
from services.home.desk import Desk
from services.home.presence.entities import Update
from services.language.homeview import HomeView
from services.local_socket import SocketError, SocketServer, ask
from services.settings import Settings
from services.voice.loop import VoiceLoop
from services.voice.trial import opening
from services.voice.trial.desk import TrialDesk
from services.voice.trial.exchange import Exchange, Loaded, TurnCount
from services.voice.trial.opening import directory, open_serving
from services.voice.trial.prover import Prover
from services.voice.trial.setup import due_s
from services.voice.trial.words import Prove, Serve, VoiceState
from tests.support.scripted_model import LoudActivity, MarkedWake, QuietHome, ScriptedModel
from tests.support.silent_room import hearing
from tests.support.tiny_bundle import write_bundle

Asks = Callable[[dict[str, Any]], VoiceState]


class Daemon:
    """A voice daemon around scripted models, with two installed generations."""

    def __init__(self, folder: Path) -> None:
        generations = Generations(folder / "models")
        self.old = generations.install(write_bundle(folder / "a", "a")).name
        self.new = generations.install(write_bundle(folder / "b", "b")).name
        settings = Settings()
        model = settings.model.model_copy(update={"generations": folder / "models"})
        settings = settings.model_copy(update={"model": model})
        self.settings = settings
        self.loop = VoiceLoop(ScriptedModel(), QuietHome(), MarkedWake(), LoudActivity())
        serving = Loaded(self.loop.model, self.old, version="0.3.0")
        exchange = self.exchange = Exchange(self.loop, serving, HomeView, TurnCount())
        self.opened: dict[str, ScriptedModel | Exception] = {self.new: ScriptedModel()}
        self.started_over = self.loads = 0
        self.desk = TrialDesk(
            settings,
            exchange,
            Prover(settings, exchange, self._open),
            open_=self._open,
            start_over=self._start_over,
        )
        self.socket = folder / "voice.sock"
        self.server = SocketServer(self.socket, self.desk.answer)

    def _open(self, name: str) -> Loaded:
        self.loads += 1
        model = self.opened[name]
        if isinstance(model, Exception):
            raise model
        return Loaded(model, name)

    def _start_over(self) -> None:
        self.started_over += 1

    def needs(self, memory_mb: int) -> None:
        """What the new one's manifest says."""
        path = directory(self.settings, self.new) / "manifest.json"
        manifest = json.loads(path.read_text())
        path.unlink()  # a link to the store's
        path.write_text(json.dumps(manifest | {"hardware": {"memory_mb": memory_mb}}))

    def ask(self, question: object) -> VoiceState:
        body = question if isinstance(question, dict) else question.model_dump(mode="json")  # type: ignore[attr-defined]
        return VoiceState.model_validate(ask(self.socket, body))

    def until(self, true: Callable[[VoiceState], bool]) -> VoiceState:
        deadline = time.monotonic() + 20
        while not true(state := self.ask({"do": "look"})):
            assert time.monotonic() < deadline, state
            time.sleep(0.01)
        return state


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.server.close()
    made.desk.close()
    made.loop.worker.close(2)


def test_a_generation_is_proved_and_then_serves(daemon: Daemon) -> None:
    assert daemon.ask({"do": "look"}).serving == daemon.old
    daemon.ask(Prove(generation=daemon.new, gate=Gate()))
    state = daemon.until(lambda state: state.proof is not None and state.proof.over)
    assert state.proof is not None
    assert state.proof.reason is None
    assert state.serving == daemon.old, "proved is not asked to serve"
    daemon.ask(Serve(generation=daemon.new))
    daemon.until(lambda state: state.serving == daemon.new)
    daemon.until(lambda _: daemon.loop.model is daemon.opened[daemon.new])
    daemon.ask(Serve(generation=daemon.new))
    assert not daemon.started_over


def test_a_makeshift_is_told_until_what_current_names_serves(daemon: Daemon) -> None:
    daemon.exchange.serving = replace(daemon.exchange.serving, makeshift=True)
    assert daemon.ask({"do": "look"}).safe_mode
    assert not daemon.ask(Serve(generation=daemon.old)).safe_mode, "went back to it"
    daemon.exchange.serving = replace(daemon.exchange.serving, makeshift=True)
    daemon.ask(Serve(generation=daemon.new))
    assert not daemon.until(lambda state: state.serving == daemon.new).safe_mode


def test_where_there_is_no_room_a_makeshift_makes_room_and_is_one_again(daemon: Daemon) -> None:
    daemon.exchange.serving = replace(daemon.exchange.serving, makeshift=True)
    daemon.needs(2**19)
    daemon.opened[daemon.new] = BundleError("lm", "is damaged", "fetch it again")
    daemon.opened[daemon.old] = ScriptedModel()
    with hearing(daemon.loop):
        daemon.ask(Prove(generation=daemon.new, gate=Gate()))
        state = daemon.until(lambda state: state.proof is not None and state.proof.over)
    assert (state.serving, state.safe_mode) == (daemon.old, True)


def test_who_asks_again_after_a_restart_finds_the_same_proof(daemon: Daemon) -> None:
    question = Prove(generation=daemon.new, gate=Gate())
    daemon.ask(question)
    first = daemon.until(lambda state: state.proof is not None and state.proof.over).proof
    assert daemon.ask(question).proof == first
    assert daemon.loads == 1
    daemon.ask(Serve(generation=daemon.old))  # given up: nothing is kept in memory
    assert daemon.ask(question).proof != first


def test_a_restarted_daemon_says_that_it_knows_nothing(daemon: Daemon) -> None:
    assert not daemon.ask({"do": "look"}).told
    assert daemon.ask({"do": "tell"}).told


def test_what_cannot_be_put_in_beside_is_opened_by_the_daemon_anew(daemon: Daemon) -> None:
    daemon.opened[daemon.new] = EngineError("lm", "no memory", "free some")
    daemon.ask(Serve(generation=daemon.new))
    deadline = time.monotonic() + 10
    while not daemon.started_over:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert daemon.ask({"do": "look"}).serving == daemon.old


def test_where_neither_model_loads_the_box_is_opened_anew(daemon: Daemon) -> None:
    """There was no room for two, the new one is bad, and the old one found no memory."""
    daemon.needs(2**19)
    daemon.opened[daemon.new] = BundleError("lm", "is damaged", "fetch it again")
    daemon.opened[daemon.old] = MemoryError()
    with hearing(daemon.loop):
        daemon.ask(Prove(generation=daemon.new, gate=Gate()))
        state = daemon.until(lambda state: state.proof is not None and state.proof.over)
        daemon.until(lambda _: daemon.started_over == 1)
    assert state.proof is not None
    assert (state.proof.reason, state.serving) == (Reason.GATE_LOAD, "")
    assert daemon.desk.shown() == Update("0.3.0")


def test_whatever_a_model_raises_when_it_is_put_in_the_box_is_opened_anew(daemon: Daemon) -> None:
    daemon.opened[daemon.new] = ValueError("replies must be 16000 Hz")
    daemon.ask(Serve(generation=daemon.new))
    daemon.until(lambda _: daemon.started_over == 1)


def test_a_generation_that_is_not_there_fails_its_gate(daemon: Daemon) -> None:
    daemon.ask(Prove(generation="000009-0123456789ab", gate=Gate()))
    state = daemon.until(lambda state: state.proof is not None and state.proof.over)
    assert state.proof is not None
    assert state.proof.reason is Reason.GATE_LOAD


@pytest.mark.parametrize(
    "question",
    [
        {"do": "serve", "generation": "../../etc"},
        {"do": "prove", "generation": "000001-0123456789ab"},
        {"do": "prove", "generation": "000001-0123456789ab", "gate": {"seconds": -1}},
        {"do": "tell", "latest": "x" * 1000},
        {"do": "tell", "progress": 101},
        {"do": "sing"},
        {},
    ],
)
def test_other_questions_are_refused(daemon: Daemon, question: dict[str, Any]) -> None:
    with pytest.raises(SocketError, match="not a question"):
        daemon.ask(question)


def test_the_owner_is_shown_what_the_updater_tells(daemon: Daemon) -> None:
    assert daemon.desk.shown() == Update("0.3.0")
    told = {"installed": "1.1", "latest": "1.2", "progress": 40, "notes": "Hears better."}
    daemon.ask({"do": "tell", **told})
    assert daemon.desk.shown() == Update("1.1", "1.2", 40, "Hears better.")


def test_the_owners_wish_waits_until_the_updater_has_heard_it(daemon: Daemon) -> None:
    daemon.ask({"do": "tell", "installed": "1.1", "latest": "1.2"})
    daemon.desk.install()
    assert daemon.ask({"do": "look"}).install == "1.2"
    assert daemon.ask({"do": "tell", "installed": "1.1", "latest": "1.2"}).install == ""


def test_the_next_timer_or_alarm_is_known(tmp_path: Path) -> None:
    wall = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc).timestamp()
    desk = Desk(clocks=Clocks(lambda: 0.0, lambda: wall, lambda: timezone.utc))
    assert due_s(desk) is None
    desk.alarms.add(datetime(2026, 3, 1, 12, 30))
    assert due_s(desk) == 1800
    timer = desk.timers.start(600)
    assert due_s(desk) == 600
    desk.timers.pause(timer)
    assert due_s(desk) == 1800


# --- what shall serve ---------------------------------------------------------------------------


def settings_with(folder: Path, **model: object) -> Settings:
    chosen = Settings().model.model_copy(update={"generations": folder, **model})
    return Settings().model_copy(update={"model": chosen})


def test_a_bundle_that_does_not_load_leaves_the_one_before_in_service(tmp_path: Path) -> None:
    if not (opening.shipped_bundle(Settings()) / "manifest.json").exists():
        pytest.skip("the built-in bundle is not here")
    generations = Generations(tmp_path / "models")
    good = generations.install(opening.shipped_bundle(Settings()))
    bad = generations.install(write_bundle(tmp_path / "bad", "bad"))
    assert generations.current() == bad.path
    loaded = open_serving(settings_with(tmp_path / "models"))
    assert (loaded.generation, loaded.makeshift) == (good.name, True)


def test_a_bundle_that_the_owner_names_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        open_serving(settings_with(tmp_path, bundle=tmp_path / "nowhere"))
