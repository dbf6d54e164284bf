"""The gate on scripted models: the real loop and wake word, the shipped recording at real pace."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import BundleError
from device.sound.files import read_audio, write_wav
from device.sound.frames import Pcm
from ota.errors import Reason
from ota.release import Gate
from services.demo.script import RECORDINGS
from services.language.calls import Call
from services.language.homeview import HomeView
from services.settings import Audio, Settings, Wake
from services.voice.controller import Event, State
from services.voice.families.base import SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.trial.exchange import Absent, Exchange, Loaded, TurnCount
from services.voice.trial.home import RehearsalHome
from services.voice.trial.prover import Prover
from services.voice.trial.words import Proof
from tests.support.scripted_model import LoudActivity, MarkedWake, QuietHome, Script, ScriptedModel
from tests.support.silent_room import hearing

LIGHT_ON = Call.of("HassTurnOn", name="bed light")
GATE = Gate(utterance="gate.wav", call='HassTurnOn {"name": "bed light"}', slower=10)
OLD = "000001-0123456789ab"
NAME = "000002-0123456789ab"
LITTLE = 1  # MiB that the new one says it needs
SAID = read_audio(RECORDINGS / "bed-light.wav")[2_400:54_400]
"""Without the silence around it: it is heard at real pace."""

Prove = Callable[..., tuple[Proof, Loaded | None]]


@pytest.fixture
def loop() -> Iterator[VoiceLoop]:
    """One that serves, and hears nothing now."""
    serving = ScriptedModel(Script(call=LIGHT_ON))
    made = VoiceLoop(serving, QuietHome(), MarkedWake(), LoudActivity())
    yield made
    made.worker.close(2)


@pytest.fixture
def prove(tmp_path: Path, loop: VoiceLoop) -> Prove:
    def run(
        model: ScriptedModel | Exception,
        gate: Gate = GATE,
        *,
        memory_mb: int = 0,
        needs_mb: Callable[[], int] = lambda: LITTLE,
        before: SpeechModel | Exception | None = None,
        said: Pcm = SAID,
        judge: Callable[..., tuple[int, int] | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> tuple[Proof, Loaded | None]:
        write_wav(tmp_path / "gate.wav", said)

        def open_(name: str) -> Loaded:
            found = before if before is not None and name == OLD else model
            if isinstance(found, Exception):
                raise found
            return Loaded(found, name, memory_mb if found is model else 0)

        # The owner's own wake word and volume have no say in it.
        settings = Settings(wake=Wake(phrase="alexa"), audio=Audio(volume=0.0))
        exchange = Exchange(loop, Loaded(loop.model, OLD), HomeView, TurnCount())
        prover = Prover(settings, exchange, open_, judge, rehearsals=1, clock=clock)
        return prover.prove(NAME, gate, tmp_path, needs_mb)

    return run


def test_a_release_that_answers_right_may_serve(prove: Prove) -> None:
    model = ScriptedModel(Script(call=LIGHT_ON, reply="the bed light is on"))
    proof, held = prove(model, judge=lambda pcm, text: (1, len(text.split())))
    assert (proof.over, proof.reason, proof.generation) == (True, None, NAME)
    assert held is not None
    assert held.model is model
    assert proof.p95_ms is not None
    assert proof.p95_before_ms is not None
    assert proof.beside
    assert proof.recognised


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(call=Call.of("HassTurnOff", name="bed light")), Reason.GATE_CALL),
        (Script(fails_with=ValueError("personal")), Reason.GATE_CALL),
        (Script(call=LIGHT_ON, seconds=0.0), Reason.GATE_REPLY),
    ],
)
def test_what_answers_wrongly_never_serves(prove: Prove, script: Script, reason: Reason) -> None:
    proof, held = prove(ScriptedModel(script))
    assert (proof.reason, held) == (reason, None)
    assert "personal" not in proof.detail


def test_what_the_recogniser_does_not_understand_never_serves(prove: Prove) -> None:
    model = ScriptedModel(Script(call=LIGHT_ON))
    proof, _ = prove(model, judge=lambda pcm, text: (44, 6))
    assert (proof.reason, proof.recognised) == (Reason.GATE_REPLY, False)


def test_what_does_not_load_says_why(prove: Prove) -> None:
    proof, held = prove(BundleError("lm.onnx", "is damaged", "fetch it again"))
    assert (proof.reason, held) == (Reason.GATE_LOAD, None)
    assert "is damaged" in proof.detail
    proof, held = prove(RuntimeError("anything at all"))
    assert (proof.reason, proof.detail) == (Reason.GATE_LOAD, "RuntimeError")


def test_a_recording_without_the_wake_word_is_no_proof(prove: Prove) -> None:
    proof, _ = prove(ScriptedModel(), said=np.zeros(16_000, np.float32))
    assert proof.reason is Reason.GATE_WAKE


def test_without_a_recording_only_loading_is_proved(prove: Prove) -> None:
    proof, held = prove(ScriptedModel(), Gate())
    assert (proof.reason, proof.p95_ms) == (None, None)
    assert held is not None


def test_the_gate_has_an_end(prove: Prove) -> None:
    """And a recogniser that crashed is no fault of the release, and no praise."""
    asked: list[str] = []
    gate = GATE.model_copy(update={"seconds": 0.1})
    proof, _ = prove(
        ScriptedModel(Script(call=LIGHT_ON)), gate, judge=lambda pcm, text: asked.append(text)
    )
    assert proof.reason is Reason.GATE_TIME
    assert (len(asked), proof.recognised) == (1, None)


def test_without_room_for_two_the_old_one_makes_room_and_comes_back_after_a_bad_one(
    prove: Prove, loop: VoiceLoop
) -> None:
    served = loop.model
    with hearing(loop):
        proof, held = prove(ScriptedModel(), needs_mb=lambda: 2**40, before=served)
        assert (proof.reason, proof.beside, held) == (Reason.GATE_CALL, False, None)
        assert proof.p95_before_ms is not None, "measured before it went"
        deadline = time.monotonic() + 10
        while loop.model is not served or loop.state is not State.IDLE:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize(("ends_s", "reason"), [(100.0, None), (1e9, Reason.GATE_TIME)])
def test_who_speaks_while_the_old_one_shall_make_room_has_as_long_as_the_gate(
    prove: Prove, loop: VoiceLoop, ends_s: float, reason: Reason | None
) -> None:
    seconds = itertools.count(0.0, 5.0)

    def clock() -> float:
        now = next(seconds)
        if now == ends_s:
            loop.controller.handle(Event.MUTE, now)
        return now

    loop.controller.handle(Event.WAKE, 0.0)
    served, gate = loop.model, Gate(seconds=150)
    proof, held = prove(ScriptedModel(), gate, needs_mb=lambda: 2**40, clock=clock)
    assert (proof.reason, proof.beside) == (reason, False)
    assert (held is None) == (loop.model is served) == (reason is not None)


@pytest.mark.parametrize("fault", [MemoryError(), ValueError("personal"), OSError(5, "disk")])
def test_a_model_before_that_does_not_load_again_is_a_proof_with_nobody_in_service(
    prove: Prove, loop: VoiceLoop, fault: Exception
) -> None:
    with hearing(loop):
        proof, held = prove(
            ScriptedModel(), Gate(), needs_mb=lambda: 2**40, memory_mb=-1, before=fault
        )
        assert (proof.over, proof.reason, held) == (True, Reason.GATE_MEMORY, None)
        assert isinstance(loop.model, Absent)


def test_a_manifest_that_cannot_be_read_is_a_proof(prove: Prove) -> None:
    def unreadable() -> int:
        raise ValueError("anything at all")

    proof, held = prove(ScriptedModel(), needs_mb=unreadable)
    assert (proof.over, proof.reason, held) == (True, Reason.GATE_LOAD, None)


def test_the_home_of_the_test_has_no_way_out() -> None:
    home = RehearsalHome()
    moved = home.execute(LIGHT_ON, 1, lambda turn: True)
    assert [(r.entity_id, r.status) for r in moved.results] == [("light.bed_light", "confirmed")]
    assert home.execute(Call.of("HassTurnOn", name="volcano"), 1, lambda turn: True).error
    asked = home.execute(Call.of("HassGetCurrentTime"), 1, lambda turn: True)
    assert "time" in asked.facts
    assert not isinstance(home, Absent)
