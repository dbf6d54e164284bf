"""``linnet run`` end to end: a recording is heard, a real broker carries it, a device moves."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.exit_codes import ExitCode
from services.home.embedded_broker import free_port
from services.home.simulated import SimulatedHome
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.running import FAMILY, RunningDaemon, spoken
from tests.support.terminal import linnet, settings_file

PATIENCE_S = 60.0

pytestmark = pytest.mark.slow
Start = Callable[..., RunningDaemon]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def home(broker: Mosquitto) -> Iterator[SimulatedHome]:
    with SimulatedHome(broker.address) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``linnet run`` with settings and what it shall hear; closes all in the end."""
    started: list[RunningDaemon] = []

    def begin(port: int, *sounds: str | float, **privacy: object) -> RunningDaemon:
        config = settings_file(
            tmp_path,
            mqtt={"port": port},
            model={"family": FAMILY},
            privacy=privacy,
            log={"level": "debug", "format": "json"},
        )
        heard = spoken(tmp_path / "heard.wav", *sounds)
        started.append(RunningDaemon(tmp_path, "--config", config, "--input", heard))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.close()


def until(true: Callable[[], bool], daemon: RunningDaemon, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert daemon.process.poll() is None, f"it ended:\n{daemon.log}"
        assert time.monotonic() < deadline, f"not within {seconds:g} s; log:\n{daemon.log}"
        daemon.drain()
        time.sleep(0.05)


def test_a_spoken_command_moves_a_device_and_leaves_no_word_in_the_log(
    broker: Mosquitto, home: SimulatedHome, start: Start
) -> None:
    daemon = start(broker.address.port, 3.0, "bed-light.wav")
    daemon.wait_for("READY=1")
    until(lambda: home.state("bed_light")["state"] == "ON", daemon)
    until(lambda: '"event": "turn_end"' in daemon.log, daemon)
    daemon.wait_for("WATCHDOG=1")
    assert "STATUS=listening" in daemon.told
    assert daemon.terminate() < 2.0
    daemon.drain()
    assert "STOPPING=1" in daemon.told
    assert daemon.process.returncode == ExitCode.OK
    moved = {command.device_id for command in home.commands}
    assert moved == {"bed_light"}
    assert not any(command.retained for command in home.commands)
    for words in ("turn on", "bed light", "light is on", "okay"):
        assert words not in daemon.log.lower()


def test_the_owner_may_switch_the_words_on(
    broker: Mosquitto, home: SimulatedHome, start: Start
) -> None:
    daemon = start(broker.address.port, 3.0, "bed-light.wav", log_transcripts=True)
    until(lambda: '"event": "turn_end"' in daemon.log, daemon)
    assert re.search('"personal": "turn on (the )?bed light"', daemon.log)


def test_a_broker_that_dies_comes_back_and_is_used_again(
    broker: Mosquitto, home: SimulatedHome, start: Start
) -> None:
    daemon = start(broker.address.port, 3.0, "bed-light.wav", 20.0, "kitchen-green.wav")
    until(lambda: home.state("bed_light")["state"] == "ON", daemon)
    broker.kill()
    until(lambda: '"connecting"' in daemon.log or "connecting" in daemon.log, daemon)
    broker.start()
    until(lambda: home.state("kitchen_lights")["state"] == "ON", daemon)
    moved = [command.device_id for command in home.commands]
    assert set(moved) == {"bed_light", "kitchen_lights"}
    assert moved.count("bed_light") == 1  # nothing is said twice


def test_without_a_broker_it_is_ready_answers_and_stops(start: Start) -> None:
    daemon = start(free_port(), 0.5, "bed-light.wav")
    daemon.wait_for("READY=1")
    until(lambda: '"event": "first_audio"' in daemon.log, daemon)
    assert daemon.terminate() < 2.0
    assert daemon.process.returncode == ExitCode.OK


def test_a_broker_that_refuses_is_named_in_the_log_and_survived(
    tmp_path: Path, start: Start
) -> None:
    with mosquitto(tmp_path, {"linnet": "secret"}) as closed:
        daemon = start(closed.address.port, 0.5)
        daemon.wait_for("READY=1")
        until(lambda: f"127.0.0.1:{closed.address.port}: refused" in daemon.log, daemon)
        daemon.wait_for("STATUS=idle")
        assert daemon.terminate() < 2.0


def test_interrupt_from_the_keyboard_is_a_clean_stop(start: Start) -> None:
    daemon = start(free_port(), 0.5)
    daemon.wait_for("READY=1")
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(timeout=20) == ExitCode.OK


@pytest.mark.parametrize(
    ("tables", "code", "says"),
    [
        ({"privacy": {"log_transcript": True}}, ExitCode.SETTINGS, "log_transcripts"),
        ({"model": {"bundle": "nowhere"}}, ExitCode.BUNDLE, "nowhere"),
    ],
)
def test_what_it_cannot_start_with_is_one_line_and_a_code(
    tables: dict[str, dict[str, object]], code: ExitCode, says: str, tmp_path: Path
) -> None:
    heard = spoken(tmp_path / "heard.wav", 0.1)
    config = settings_file(tmp_path, **tables)
    done = linnet("run", "--config", config, "--input", heard, cwd=tmp_path)
    assert done.returncode == code
    told = [line for line in done.stderr.strip().split("\n") if line.startswith("linnet run: ")]
    assert len(told) == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_that_cannot_be_heard_is_one_line_and_a_code(tmp_path: Path) -> None:
    (tmp_path / "heard.wav").write_bytes(b"")
    config = settings_file(tmp_path)
    done = linnet("run", "--config", config, "--input", "heard.wav", cwd=tmp_path)
    assert done.returncode == ExitCode.AUDIO
    assert done.stderr.strip().startswith("linnet run: heard.wav: the file is empty")
