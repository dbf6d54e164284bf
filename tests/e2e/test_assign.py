"""The owner says where things are: ``linnet devices assign`` against a real broker."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt import publish

from services.exit_codes import ExitCode
from services.home.simulated import SimulatedHome
from services.home.simulated_devices import SimulatedPlainLight
from tests.e2e.test_daemon import until
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.running import FAMILY, RunningDaemon, spoken
from tests.support.terminal import linnet, settings_file

LIGHTS = tuple(
    SimulatedPlainLight(name, name.title(), room, {"state": "OFF"}, dimmable=False)
    for name, room in (("desk", "Kitchen"), ("corner", ""))
)
Devices = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def home(broker: Mosquitto) -> Iterator[SimulatedHome]:
    with SimulatedHome(broker.address, LIGHTS) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto, home: SimulatedHome) -> Path:
    return settings_file(
        tmp_path,
        mqtt={"port": broker.address.port},
        home={"map_file": tmp_path / "home.json"},
        model={"family": FAMILY},
        log={"level": "debug", "format": "json"},
    )


@pytest.fixture
def devices(tmp_path: Path, config: Path) -> Devices:
    return lambda *words: linnet("devices", *words, "--config", config, cwd=tmp_path)


def places(devices: Devices) -> dict[str, list[object]]:
    """Room, where it comes from, floor and other names of each device, as listed."""
    keys = ("room", "room_from", "floor", "other_names")
    listed = json.loads(devices("--json").stdout)["devices"]
    return {row["device"]: [row[key] for key in keys] for row in listed}


def test_what_is_assigned_is_listed_and_what_is_cleared_is_as_announced(devices: Devices) -> None:
    announced = {
        "light.corner": [None, None, None, []],
        "light.desk": ["kitchen", "announced", None, []],
    }
    assert places(devices) == announced
    done = devices("assign", "light.desk", "--area", "Office", "--alias", "Reading Light")
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout == "device: light.desk; room: office; other names: reading light\n"
    assert "systemctl reload" in done.stderr
    devices("assign", "light.corner", "--area", "客厅")
    devices("assign", "--room", "office", "--floor", "First Floor")
    assert places(devices) == {
        "light.corner": ["客厅", "owner", None, []],
        "light.desk": ["office", "owner", "first floor", ["reading light"]],
    }
    table = devices().stdout.split("\n")
    assert table[0].split("  ")[0] == "device"
    assert "room from" in table[0]
    for device in announced:
        assert devices("assign", device, "--clear").returncode == ExitCode.OK
    assert places(devices) == announced


def test_a_device_or_a_room_that_is_not_there_is_one_line_with_the_nearest(
    devices: Devices, tmp_path: Path
) -> None:
    for words, says in (
        (("light.dsk", "--area", "office"), "light.dsk at the broker; did you mean light.desk?"),
        (("Corner", "--area", "office"), "Corner at the broker; did you mean light.corner?"),
        (("--room", "kitchn", "--floor", "attic"), "is in a room kitchn; did you mean kitchen?"),
    ):
        done = devices("assign", *words)
        assert done.returncode == ExitCode.USAGE
        assert done.stderr == f"linnet devices: no device {says}\n"
    assert not (tmp_path / "home.json").exists()


def test_a_typed_command_finds_a_device_by_the_room_and_the_name_it_was_given(
    devices: Devices, config: Path, home: SimulatedHome, tmp_path: Path
) -> None:
    devices("assign", "light.corner", "--area", "office", "--alias", "reading light")
    typed = "turn on the lights in the office\n"
    linnet("talk", "--config", config, cwd=tmp_path, typed=typed)
    assert [c.device_id for c in home.commands] == ["corner"]
    done = linnet("talk", "--config", config, cwd=tmp_path, typed="turn off the reading light\n")
    assert "the corner is off" in done.stdout or "the reading light is off" in done.stdout
    assert home.state("corner")["state"] == "OFF"


def test_a_typed_command_finds_a_room_by_the_other_name_it_was_given(
    devices: Devices, config: Path, home: SimulatedHome, tmp_path: Path
) -> None:
    done = devices("assign", "--room", "kitchen", "--alias", "Scullery", "--alias", "厨房")
    assert done.stdout == "room: kitchen; floor: not assigned; other names: scullery, 厨房\n"
    devices("assign", "light.corner", "--area", "office")
    taken = devices("assign", "--room", "office", "--alias", "scullery")
    assert taken.returncode == ExitCode.USAGE
    assert "scullery is another room or floor already" in taken.stderr
    typed = "turn on the lights in the scullery\n"
    linnet("talk", "--config", config, cwd=tmp_path, typed=typed)
    assert [c.device_id for c in home.commands] == ["desk"]


@pytest.mark.slow
def test_the_daemon_takes_a_changed_map_at_sighup_and_refuses_a_damaged_one(
    devices: Devices, config: Path, home: SimulatedHome, tmp_path: Path
) -> None:
    heard = spoken(tmp_path / "heard.wav", 3.0, "bed-light.wav")
    daemon = RunningDaemon(tmp_path, "--config", config, "--input", heard)
    try:
        until(lambda: '"event": "turn_end"' in daemon.log, daemon)
        assert home.state("corner")["state"] == "OFF", "nobody is called the bed light yet"
        devices("assign", "light.corner", "--alias", "bed light")
        daemon.process.send_signal(signal.SIGHUP)  # the recording begins anew
        until(lambda: home.state("corner")["state"] == "ON", daemon)
        (tmp_path / "home.json").write_text("{")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "the new settings are refused, the old stay" in daemon.log, daemon)
        assert "home.json: not valid at its top" in daemon.log
        assert "bed light" not in daemon.log
    finally:
        daemon.close()


def test_a_zigbee2mqtt_group_gives_its_members_a_room(devices: Devices, broker: Mosquitto) -> None:
    power = {"type": "binary", "name": "state", "property": "state", "access": 7,
             "value_on": "ON", "value_off": "OFF"}  # fmt: skip
    lamp = {"exposes": [{"type": "light", "features": [power]}]}
    tables = {
        "devices": [{"ieee_address": "0x1", "friendly_name": "bulb", "definition": lamp}],
        "groups": [{"id": 1, "friendly_name": "sofa", "members": [{"ieee_address": "0x1"}]}],
    }
    for table, body in tables.items():
        topic = f"zigbee2mqtt/bridge/{table}"
        publish.single(topic, json.dumps(body), qos=1, retain=True, port=broker.address.port)
    assert places(devices)["light.bulb"][:2] == [None, None]
    done = devices("assign", "--group", "sofaa", "--area", "living room")
    assert "no device is in a zigbee2mqtt group sofaa; did you mean sofa?" in done.stderr
    done = devices("assign", "--group", "Sofa", "--area", "Living Room")
    assert (done.returncode, done.stdout) == (ExitCode.OK, "group: sofa; room: living room\n")
    assert places(devices)["light.bulb"][:2] == ["living room", "owner"]
