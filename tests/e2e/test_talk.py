"""``linnet talk`` and ``linnet devices`` as typed at a terminal, against brokers of every mood."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.exit_codes import ExitCode
from services.home.embedded_broker import free_port
from services.home.simulated import SimulatedHome
from services.home.simulated_devices import SimulatedPlainLight, SimulatedSwitch
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.terminal import ROOT, linnet, settings_file


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


def test_a_typed_command_moves_the_simulated_home(tmp_path: Path) -> None:
    typed = "turn on the bed light\n\nwhat is the capital of france\nis the front door locked\n"
    done = linnet("talk", "--simulated", cwd=tmp_path, typed=typed)
    assert done.returncode == ExitCode.OK, done.stderr
    said = done.stdout.split("\n")
    assert said[0] == "16 devices in 7 rooms; end with Ctrl-D"
    assert said[1] == '  HassTurnOn {"name": "bed light"}'
    assert said[2].startswith("  light.bed_light confirmed (")
    assert said[3] == "the bed light is on"
    assert said[4] == "sorry i didn't understand that"
    assert said[-2] == "the front door is unlocked"
    assert done.stderr == ""


def test_what_is_typed_about_time_sound_and_two_things_at_once_is_answered(tmp_path: Path) -> None:
    typed = (
        "remind me to call mom tomorrow at 7\nset an alarm for tomorrow at 8\n"
        "list my reminders\nlist my alarms\nmute\nundo that\nmute the microphone\n"
        "turn on the bed light and the kitchen lights\n"
    )
    done = linnet("talk", "--simulated", cwd=tmp_path, typed=typed)
    said = [line for line in done.stdout.split("\n")[1:] if line and not line.startswith("  ")]
    assert said == [
        "i will remind you at seven o'clock in the morning tomorrow",
        "alarm set for eight o'clock in the morning tomorrow",
        "you have one reminder call mom at seven o'clock in the morning tomorrow",
        "your alarm is set for eight o'clock in the morning tomorrow",
        "my sound is off and i still listen say louder or type unmute to hear me again",
        "okay undone",
        "my microphone is opened and closed by its mute switch not by words"
        " for once it is closed i could not hear you open it",
        "i did nothing yet one thing at a time please",
    ]


def test_a_sentence_that_means_two_devices_is_asked_about_and_the_answer_decides(
    tmp_path: Path, broker: Mosquitto
) -> None:
    config = settings_file(tmp_path, mqtt={"port": broker.address.port})
    twins = [
        SimulatedPlainLight(f"lamp_{room}", "Reading Light", room, {"state": "OFF"}, dimmable=False)
        for room in ("Office", "Bedroom")
    ]
    with SimulatedHome(broker.address, twins) as simulated:
        typed = "turn on the reading light\nthe one in the bedroom\nturn everything off\n"
        done = linnet("talk", "--text", "--config", config, cwd=tmp_path, typed=typed)
        states = [simulated.state(twin.device_id)["state"] for twin in twins]
    said = done.stdout.split("\n")
    assert said[1].endswith(": the one in the bedroom or the one in the office")
    assert said[2].startswith('  HassTurnOn {"area": "bedroom"')
    assert said[4] == "the reading light is on"
    assert said[-2].startswith("that is too much at once")
    assert states == ["OFF", "ON"]


def test_what_opens_the_house_is_asked_about_and_a_typed_yes_opens_it(
    tmp_path: Path, broker: Mosquitto
) -> None:
    config = settings_file(tmp_path, mqtt={"port": broker.address.port}, safety={"answer_s": 60.0})
    typed = "turn on the garage door\nno\nyes\nturn on the garage door\nyes\n"
    opener = SimulatedSwitch("opener", "Garage Door", "Garage", {"state": "OFF"})
    with SimulatedHome(broker.address, (opener,)) as home:
        done = linnet("talk", "--config", config, cwd=tmp_path, typed=typed)
        assert home.state("opener") == {"state": "ON"}
        assert [c.payload for c in home.commands] == [b"ON"]
    assert done.returncode == ExitCode.OK, done.stderr
    said = [line for line in done.stdout.split("\n")[1:] if line and line[0] != " "]
    assert said == [
        "should i turn on the garage door",
        "okay left as it is",
        "sorry i didn't understand that",
        "should i turn on the garage door",
        "the garage door is on",
    ]


@pytest.mark.parametrize("command", ["talk", "devices"])
def test_a_broker_that_is_not_there_is_one_line(command: str, tmp_path: Path) -> None:
    port = free_port()
    config = settings_file(tmp_path, mqtt={"port": port})
    done = linnet(command, "--config", config, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKER
    assert done.stderr == (
        f"linnet {command}: no MQTT broker at 127.0.0.1:{port}: it cannot be reached\n"
    )


@pytest.mark.parametrize("command", ["talk", "devices"])
def test_a_broker_that_refuses_is_one_line(command: str, tmp_path: Path) -> None:
    with mosquitto(tmp_path, {"linnet": "secret"}) as closed:
        config = settings_file(tmp_path, mqtt={"port": closed.address.port})
        done = linnet(command, "--config", config, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKER
    [line] = done.stderr.strip().split("\n")
    assert line.startswith(f"linnet {command}: MQTT broker 127.0.0.1:{closed.address.port} refused")


def test_a_broker_that_dies_in_between_is_said_and_survived(
    tmp_path: Path, broker: Mosquitto
) -> None:
    config = settings_file(tmp_path, mqtt={"port": broker.address.port})
    with (
        SimulatedHome(broker.address),
        subprocess.Popen(
            [sys.executable, "-m", "services.cli", "talk", "--config", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
        ) as talk,
    ):
        assert talk.stdin is not None
        assert talk.stdout is not None
        assert "16 devices" in talk.stdout.readline()
        talk.stdin.write("turn on the desk lamp\n")
        talk.stdin.flush()
        told = [talk.stdout.readline().strip() for _ in range(3)]
        assert told[-1] == "the desk lamp is on"
        broker.kill()
        talk.stdin.write("turn off the desk lamp\n")
        talk.stdin.close()
        rest = talk.stdout.read().strip().split("\n")
        # the second, where the command was on its way when the broker died
        assert rest[-1] in {"i can't reach the home right now", "the desk lamp did not answer"}
        assert talk.wait(timeout=60) == ExitCode.OK
