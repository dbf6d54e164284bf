"""``linnet bench``: its arithmetic, and the real loop timed around a model that does nothing."""

from __future__ import annotations

import json
import shutil
import time
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sound.clock import VirtualClock
from services import benchmark
from services.bench.spoken import COMMANDS, Spoken, recordings, wakes
from services.bench.stages import first_audio, medians, percentile, turns_of
from services.bench.stream import (
    AUDIBLE,
    LONGEST_WAIT_S,
    REST_S,
    SETTLE_S,
    StampingSink,
    TurnSource,
)
from services.cli import main
from services.exit_codes import ExitCode
from services.home.simulated_view import simulated_view
from services.language.calls import Call
from services.language.grammar import compile_grammar
from services.settings import Settings
from services.voice.timeline import Kind, TimelineEvent
from tests.support.scripted_model import Script, ScriptedModel

ON = Call.of("HassTurnOn", name="bed light")
TIMES = st.lists(st.floats(0, 5_000, allow_nan=False), min_size=1, max_size=40)


@given(TIMES)
def test_percentiles_lie_among_the_values_and_in_order(values: list[float]) -> None:
    half, most = percentile(values, 0.5), percentile(values, 0.95)
    assert half is not None
    assert most is not None
    assert min(values) - 0.1 <= half <= most <= max(values) + 0.1


def test_percentiles_interpolate() -> None:
    assert percentile([100.0, 200.0, 300.0, 400.0], 0.5) == 250.0
    assert percentile([float(n) for n in range(101)], 0.95) == 95.0
    assert percentile([], 0.5) is None


def event(kind: Kind, at_s: float, **data: object) -> TimelineEvent:
    return TimelineEvent(kind, 1, 0.0, at_s, data)


def test_stages_count_from_the_end_of_speech_of_their_own_turn() -> None:
    events = [
        event("wake", 1.5), event("endpoint", 3.4), event("transcript", 3.5),
        event("call", 3.52, call=ON), event("command_sent", 3.53), event("command_sent", 3.54),
        event("confirmed", 3.6), event("confirmed", 3.65),
        event("wake", 11.5), event("endpoint", 13.5),
    ]  # fmt: skip
    heard = [2.0, 3.8, 3.81, 14.0]  # a chime before the end of speech is no answer
    first, second = turns_of([1.0, 11.0], [3.0, 13.0], events, heard)
    assert first.call == ON
    assert {k: round(v) for k, v in first.ms.items()} == {
        "endpoint": 400, "transcript": 500, "call": 520, "command": 540, "confirmed": 650,
        "first_audio": 800,
    }  # fmt: skip
    assert {k: round(v) for k, v in second.ms.items()} == {"endpoint": 500, "first_audio": 1000}
    assert first_audio([first, second]) == {"p50": 900.0, "p95": 990.0}
    assert medians([first, second])["endpoint"] == 450.0
    assert medians([first, second])["confirmed"] == 650.0


def test_a_missed_turn_has_no_times() -> None:
    (turn,) = turns_of([0.0], [1.0], [], [])
    assert not turn.woken
    assert turn.ms == {}
    assert first_audio([turn]) == {"p50": None, "p95": None}


def test_the_microphone_speaks_in_turn_and_knows_when_speech_ended() -> None:
    clock = VirtualClock(100.0)
    said = Spoken(np.full(8_000, 0.5, np.float32), 7_200)
    answering = iter([True] * 30 + [False] + [True] * 10 + [False])
    source = TurnSource([said, said], clock, lambda: next(answering))
    frames = list(source.frames())
    first = REST_S
    second = first + 0.5 + SETTLE_S + 0.3 + REST_S
    assert source.starts == pytest.approx([100 + first, 100 + second])
    assert source.ends == pytest.approx([100 + first + 0.45, 100 + second + 0.45])
    assert frames[-1].t == pytest.approx(100 + source.seconds)
    loud = [frame.t for frame in frames if np.abs(frame.pcm).max() > 0.4]
    assert loud[0] == pytest.approx(100 + first + 0.01)
    assert len(loud) == 100


def test_a_reply_that_never_ends_does_not_stop_the_benchmark() -> None:
    said = Spoken(np.zeros(160, np.float32), 160)
    source = TurnSource([said], VirtualClock(), lambda: True)
    seconds = len(list(source.frames())) / 100
    assert seconds == pytest.approx(LONGEST_WAIT_S + 2 * REST_S + SETTLE_S + 0.01, abs=0.02)


def test_the_ear_at_the_loudspeaker_notes_the_first_audible_sample() -> None:
    clock = VirtualClock(5.0)
    sink = StampingSink(clock)
    quiet, loud = np.full(160, AUDIBLE / 2, np.float32), np.zeros(160, np.float32)
    loud[80:] = 2 * AUDIBLE
    pieces = iter([quiet, loud, quiet])
    sink.start(lambda samples, t: next(pieces))
    sink.tick(5.0)
    clock.sleep_until(5.2)
    sink.tick(5.01)  # the hearing thread is late: so is the sound
    sink.tick(5.2)
    assert sink.heard == pytest.approx([5.205])


def test_every_command_of_the_benchmark_is_one_of_the_simulated_home() -> None:
    grammar = compile_grammar(simulated_view())
    assert len(COMMANDS) >= 20
    assert [c for c in COMMANDS if grammar.interpret(c) is None] == []


@pytest.mark.skipif(shutil.which("festival") is None, reason="festival is not installed")
@pytest.mark.slow
def test_the_real_loop_is_timed_at_real_pace() -> None:
    source, spoken = recordings("okay nabu", 1)
    assert source == "synthesised"
    assert wakes(spoken[0].pcm, "okay nabu")
    # The last 10 ms of the command are voiced; nothing after it is.
    assert len(spoken[0].pcm) - 16_000 // 4 < spoken[0].end <= len(spoken[0].pcm)
    call = compile_grammar(simulated_view()).interpret(spoken[0].text)
    # Loading ended with a session of its own, which is not a turn.
    model = ScriptedModel(Script(), Script(call=call, reply="done", seconds=0.4))
    begun = time.monotonic()
    table = benchmark.measure(Settings(), model, spoken)
    assert time.monotonic() - begun >= table["seconds"]
    assert table["turns"] == {
        "asked": 1, "woken": 1, "answered": 1, "right_call": 1, "known_call": 1,
    }  # fmt: skip
    stages = table["stages_ms"]
    order = ["endpoint", "transcript", "call", "command", "confirmed", "first_audio"]
    assert list(stages) == order
    assert [stages[s] for s in order] == sorted(stages.values())
    assert stages["endpoint"] > 100
    assert table["first_audio_ms"]["p50"] == stages["first_audio"]
    assert table["rtf"] > 0
    assert table["rss_mb"] > 20
    json.dumps(table)


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("pocketsphinx") is None or not shutil.which("espeak-ng"),
    reason="the cascade wants pocketsphinx and espeak-ng",
)
def test_the_command_times_the_cascade(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--family", "cascade", "--limit", "1", "--json"]) == ExitCode.OK
    table = json.loads(capsys.readouterr().out)
    assert {"first_audio_ms", "rtf", "rss_mb", "stages_ms"} <= table.keys()
    assert table["turns"]["answered"] == 1
    assert table["first_audio_ms"]["p95"] > table["stages_ms"]["endpoint"] > 0
