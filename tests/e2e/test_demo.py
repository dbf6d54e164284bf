"""The demo: its recordings, its judgement, the files users give it, and the whole of it."""

from __future__ import annotations

import io
import json
import os
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.sound.files import read_audio
from device.sound.frames import FRAME_SAMPLES, SAMPLE_RATE
from device.sound.synthesis import HELD_OUT_ESPEAK, HELD_OUT_VOICES
from device.wake.micro_wakeword import MicroWakeWordDetector
from services.bundles import chosen_bundle
from services.demo.judge import Recogniser, differences, faults, in_order
from services.demo.live import LiveTimeline
from services.demo.performance import Performance
from services.demo.script import RECORDINGS, Script, from_files, shipped
from services.demo.stage import Stage
from services.exit_codes import ExitCode
from services.settings import Settings
from services.voice.timeline import TimelineEvent
from tests.support.terminal import linnet
from tests.support.told_model import ToldModel

SCRIPT = shipped()
BUNDLE = chosen_bundle(Settings()) / "manifest.json"
BUDGET_S = 60.0


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def perform(folder: Path, recogniser: Recogniser, script: Script, *heard: str):
    out = io.StringIO()
    result = Performance(script, folder, recogniser, out).run(Settings(), ToldModel(*heard))
    return result, out.getvalue()


# --- what came along -------------------------------------------------------------------------


@pytest.mark.parametrize("recording", SCRIPT.recordings, ids=lambda r: r.name)
def test_each_recording_wakes_the_box_once_and_is_by_a_voice_kept_from_training(recording) -> None:
    detector = MicroWakeWordDetector()
    usable = len(recording.pcm) // FRAME_SAMPLES * FRAME_SAMPLES
    frames = recording.pcm[:usable].reshape(-1, FRAME_SAMPLES)
    assert sum(detector.feed(frame) for frame in frames) == 1
    variant = recording.voice.rpartition("+")[2]
    assert recording.voice in HELD_OUT_VOICES or variant in HELD_OUT_ESPEAK


def test_the_script_moves_devices_and_ends_with_what_moves_none() -> None:
    moved = {device for r in SCRIPT.recordings for device in r.expect or {}}
    assert moved == {"bed_light", "kitchen_lights", "ceiling_light", "office_light", "desk_lamp"}
    assert SCRIPT.recordings[-1].expect == {}
    assert len({device.area for device in SCRIPT.devices}) >= 4
    assert len(SCRIPT.devices) >= 12


# --- the performance, with a model that is told what was said -----------------------------------


def test_a_turn_is_shown_step_by_step_kept_and_judged(
    tmp_path: Path, recogniser: Recogniser
) -> None:
    script = replace(SCRIPT, recordings=[SCRIPT.recordings[3]])
    result, shown = perform(tmp_path, recogniser, script, "turn off all the lights in the office")
    assert result.ok, (result.scenes, result.faults)
    steps = [line for line in shown.split("\n") if " ms  " in line]
    assert {step.partition(" ms  ")[2][:16].strip() for step in steps} == {
        "wake", "end of speech", "turn taken", "transcript", "function call", "MQTT command",
        "state confirmed", "first audio", "reply text", "end of turn",
    }  # fmt: skip
    times = [float(step.split()[0]) for step in steps]
    assert times == sorted(times)
    assert times[0] < 0
    assert 'simulated_home/office_light/set {"state":"OFF"}' in shown
    reply = read_audio(tmp_path / "1-office-off-1.wav")
    assert recogniser.hear(reply, "the office lights are off").right >= 3
    assert result.first_audio_ms is not None
    assert result.first_audio_ms > 400


def test_a_device_that_moved_unasked_or_not_at_all_fails_the_demo(
    tmp_path: Path, recogniser: Recogniser
) -> None:
    france = replace(SCRIPT, recordings=[SCRIPT.recordings[5]])
    result, _ = perform(tmp_path, recogniser, france, "turn on the bed light")
    assert not result.ok
    assert result.scenes[0].faults == ["bed_light: state is ON, should be OFF"]
    assert result.faults == ["at the end, bed_light: state is ON, should be OFF"]
    bed = replace(SCRIPT, recordings=[SCRIPT.recordings[0]])
    result, _ = perform(tmp_path, recogniser, bed, "make me a sandwich")
    assert result.scenes[0].faults == ["bed_light: state is OFF, should be ON"]


def test_the_stage_leaves_nothing_running() -> None:
    import socket
    import threading

    before = set(threading.enumerate())
    with Stage(Settings(), ToldModel("turn on the bed light")) as stage:
        place = (stage.address.host, stage.address.port)
        assert stage.world()["bed_light"]["state"] == "OFF"
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(place, timeout=2)


# --- the judge -------------------------------------------------------------------------------


def test_noise_and_silence_are_no_speech(recogniser: Recogniser) -> None:
    rng = np.random.default_rng(3)
    noise = (0.1 * rng.standard_normal(SAMPLE_RATE)).astype(np.float32)
    tone = (0.3 * np.sin(np.arange(SAMPLE_RATE) * 0.1)).astype(np.float32)
    for sound in (noise, tone, np.zeros(SAMPLE_RATE, np.float32)):
        assert recogniser.hear(sound, "bed light kitchen lights green").right == 0


def test_other_words_do_not_count_however_clear(recogniser: Recogniser) -> None:
    said = SCRIPT.recordings[0]  # okay nabu, turn on the bed light
    assert recogniser.hear(said.pcm, "forty percent brightness").right == 0


def test_words_count_in_their_order_only() -> None:
    said = ["the", "bed", "light", "is", "on"]
    assert in_order(said, said) == 5
    assert in_order(said, ["bed", "on", "the", "light", "now"]) == 2
    assert in_order(said, said[::-1]) == 1
    assert in_order(said, []) == 0


def test_numbers_may_be_rounded_and_nothing_else() -> None:
    before = {"lamp": {"state": "OFF", "color": {"x": 0.1, "y": 0.1}}, "fan": {"state": "OFF"}}
    after = {"lamp": {"state": "ON", "color": {"x": 0.31, "y": 0.6}}, "fan": {"state": "OFF"}}
    asked = {"lamp": {"state": "ON", "color": {"x": 0.3, "y": 0.6}}}
    assert differences(before, after, asked) == []
    assert differences(before, {**after, "fan": {"state": "ON"}}, asked) == [
        "fan: state is ON, should be OFF"
    ]


def test_a_recording_without_the_wake_word_says_so() -> None:
    assert "wake word" in faults(SCRIPT.recordings[0], [])[0]


def test_events_that_come_out_of_step_are_shown_in_order() -> None:
    out = io.StringIO()
    with LiveTimeline(out, received=lambda entity_id: None) as live:
        live.put(TimelineEvent("command_sent", 1, 20.0, 5.02, {"entity_id": "light.desk"}))
        live.put(TimelineEvent("transcript", 1, 10.0, 5.01, {"text": "turn on the desk"}))
    first, second = out.getvalue().strip().split("\n")
    assert first.endswith("turn on the desk")
    assert second.endswith("light.desk")


# --- files that users give -------------------------------------------------------------------


def riff(data_bytes: int, rate: int = 16_000) -> bytes:
    """The header of a 16-bit mono WAV file with so much sound."""
    shape = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVEfmt " + struct.pack("<I", 16) + shape
        + b"data" + struct.pack("<I", data_bytes)
    )  # fmt: skip


def empty(path: Path) -> None:
    path.touch()


def no_samples(path: Path) -> None:
    path.write_bytes(riff(0))


def truncated(path: Path) -> None:
    whole = (RECORDINGS / "bed-light.wav").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def not_a_wav(path: Path) -> None:
    path.write_text("turn on the bed light\n" * 100)


def two_hours(path: Path) -> None:
    size = 2 * 3600 * 16_000 * 2
    with path.open("wb") as file:
        file.write(riff(size))
        file.truncate(44 + size)  # a hole in the file: no disk is used


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty, "empty"),
        (no_samples, "no sound"),
        (truncated, "truncated"),
        (not_a_wav, "not a sound recording"),
        (two_hours, "120 minutes"),
        (missing, "cannot be opened"),
    ],
)
def test_a_recording_that_cannot_be_used_is_refused_in_one_line(
    make, says: str, tmp_path: Path
) -> None:
    make(tmp_path / "my.wav")
    done = linnet("demo", "my.wav", cwd=tmp_path)
    assert done.returncode == ExitCode.AUDIO
    assert done.stdout == ""
    [line] = done.stderr.strip().split("\n")
    assert line.startswith("linnet demo: my.wav: ")
    assert says in line
    assert "; " in line  # and what to do about it
    assert not (tmp_path / "demo-replies").exists()


def other_form(path: Path, rate: int, channels: int, subtype: str) -> None:
    """The first recording as another recorder would have written it."""
    import soxr

    pcm = soxr.resample(SCRIPT.recordings[0].pcm, SAMPLE_RATE, rate)
    soundfile.write(path, np.tile(pcm[:, None], (1, channels)), rate, subtype=subtype)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(16_000, 1, "PCM_U8"), (16_000, 2, "PCM_16"), (48_000, 1, "PCM_16"), (44_100, 2, "FLOAT")],
)
def test_any_common_form_of_wav_is_understood(
    rate: int, channels: int, subtype: str, tmp_path: Path, recogniser: Recogniser
) -> None:
    other_form(tmp_path / "my.wav", rate, channels, subtype)
    script = from_files([tmp_path / "my.wav"])
    result, _ = perform(tmp_path, recogniser, script, "turn on the bed light")
    assert result.ok, (result.scenes, result.faults)
    [spoken] = result.spoken
    assert spoken.turn.transcript == "turn on the bed light"


def test_a_recording_of_something_else_fails_with_a_reason(
    tmp_path: Path, recogniser: Recogniser
) -> None:
    path = tmp_path / "hum.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(SAMPLE_RATE) * 0.05), SAMPLE_RATE)
    result, _ = perform(tmp_path, recogniser, from_files([path]), "turn on the bed light")
    assert not result.ok
    assert "wake word" in result.scenes[0].faults[0]


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = linnet("demo", "--out", "file/replies", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("linnet demo: --out file/replies: ")
    assert done.stderr.count("\n") == 1


# --- the whole of it -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("family", ["linnet_mini", "cascade"])
def test_the_demo_as_a_user_runs_it(family: str, tmp_path: Path) -> None:
    if family == "linnet_mini" and not BUNDLE.exists():
        pytest.skip("no model bundle is present")
    idle = os.getloadavg()[0] < (os.cpu_count() or 1)
    started = time.monotonic()
    done = linnet("demo", "--family", family, "--json", cwd=tmp_path, timeout=300)
    took_s = time.monotonic() - started
    assert done.returncode == ExitCode.OK, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["ok"]
    assert told["words_heard"] >= told["words_heard_bar"]
    assert len(told["recordings"]) == len(SCRIPT.recordings)
    for scene in told["recordings"]:
        [turn] = scene["turns"]
        assert (tmp_path / turn["reply_wav"]).stat().st_size > SAMPLE_RATE  # half a second
    assert told["recordings"][-1]["turns"][0]["call"] is None
    if idle:  # a machine that is busy with other things cannot tell
        assert took_s < BUDGET_S
