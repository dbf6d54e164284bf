"""The files for the box are ones that systemd, mosquitto and Linnet itself accept."""

from __future__ import annotations

import argparse
import configparser
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ota.machine import TRIES
from services.cli import build_parser
from services.settings import Settings
from services.settings_file import entries, parse, render

ROOM = Path(__file__).parents[2] / "firmware_cfg"
UNITS = (
    "linnet-voice", "linnet-ota", "linnet-ota-rollback", "linnet-inbox", "linnet-engine-build@",
    "linnet-engine-staged",
)  # fmt: skip
PUBLISHERS = ("linnet-fleet-refresh", "linnet-fleet-guard@")
"""On the machine that publishes, not on the box."""


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((ROOM / "systemd" / f"{name}.service").read_text("utf-8"))
    return parser


def test_default_settings_file_is_the_one_the_code_writes() -> None:
    text = (ROOM / "linnet.toml").read_text("utf-8")
    assert text == render(Settings()), "run: linnet config default > firmware_cfg/linnet.toml"
    assert parse(text, "linnet.toml") == Settings()


def test_every_key_of_the_default_file_is_explained() -> None:
    text = (ROOM / "linnet.toml").read_text("utf-8")
    assert all(entry.doc and entry.doc in text for entry in entries(Settings()))


def verify(unit: Path) -> str:
    """What systemd has to say about a unit file; it exits 0 even for keys it ignores."""
    command = [program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", [*UNITS, *PUBLISHERS])
def test_systemd_knows_every_key(name: str, tmp_path: Path) -> None:
    text = (ROOM / "systemd" / f"{name}.service").read_text("utf-8")
    copy = tmp_path / f"{name}.service"
    copy.write_text(text.replace("/opt/linnet/bin/linnet", shutil.which("true") or ""), "utf-8")
    assert verify(copy) == ""
    copy.write_text(text.replace("/opt/linnet/bin/linnet", "/bin/sh").replace("UMask", "UMsk"))
    assert "UMsk" in verify(copy)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("linnet-voice", 2.0),
        ("linnet-ota", 1.6),
        ("linnet-ota-rollback", 1.0),
        ("linnet-inbox", 1.0),
        ("linnet-engine-build@", 1.5),
        ("linnet-engine-staged", 1.5),
        ("linnet-fleet-refresh", 1.2),
        ("linnet-fleet-guard@", 1.8),
    ],
)
def test_exposure_stays_low(name: str, limit: float) -> None:
    path = ROOM / "systemd" / f"{name}.service"
    command = [program("systemd-analyze"), "security", "--offline=true", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level.*: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd cannot tell: {done.stderr[:80]}")
    assert float(found[1]) <= limit


def test_the_daemon_that_hears_cannot_reach_out() -> None:
    service = unit("linnet-voice")["Service"]
    assert service["IPAddressDeny"] == "any"
    assert service["IPAddressAllow"] == "localhost"
    assert service["ProtectSystem"] == "strict"
    assert (service["Type"], service["WatchdogSec"]) == ("notify", "30")


@pytest.mark.parametrize("name", ["linnet-ota", "linnet-ota-rollback", "linnet-inbox"])
def test_the_updater_has_neither_ears_nor_accelerator(name: str) -> None:
    service = unit(name)["Service"]
    assert service["PrivateDevices"] == "yes"
    assert "DeviceAllow" not in service
    assert "audio" not in service.get("SupplementaryGroups", "")
    assert ("PrivateNetwork" in service) is (name != "linnet-ota")


def command_of(name: str, key: str) -> argparse.Namespace:
    """What ``linnet`` makes of a unit's command line."""
    words = unit(name)["Service"][key].split("/opt/linnet/bin/linnet ")[1].split()
    return build_parser().parse_args([word for word in words if not word.startswith("$")])


def test_units_start_commands_that_exist() -> None:
    assert command_of("linnet-ota", "ExecStart").action == "run"
    assert command_of("linnet-ota-rollback", "ExecStart").give_up
    assert command_of("linnet-inbox", "ExecStart").action == "install"


def test_a_release_on_trial_is_counted_before_its_engines_load_whatever_becomes_of_that() -> None:
    service = unit("linnet-voice")["Service"]
    assert not command_of("linnet-voice", "ExecStartPre").give_up
    assert service["ExecStartPre"].startswith("-+"), "a fault in counting must not keep it silent"
    assert "--reuid=linnet-ota" in service["ExecStartPre"]


def test_the_way_back_comes_before_systemd_gives_up() -> None:
    head = unit("linnet-voice")["Unit"]
    assert head["OnFailure"] == "linnet-ota-rollback.service"
    assert int(head["StartLimitBurst"]) > TRIES + 1


@pytest.mark.parametrize(
    ("name", "parts"), [("linnet-engine-build@", ["lm"]), ("linnet-engine-staged", None)]
)
def test_the_builder_of_engines_stands_back_and_has_neither_ears_nor_network(
    name: str, parts: list[str] | None
) -> None:
    service = unit(name)["Service"]
    assert int(service["Nice"]) >= 10
    assert service["MemoryMax"].endswith("%")
    assert service["PrivateNetwork"] == "yes"
    assert "audio" not in service["SupplementaryGroups"]
    # The command it starts is one that exists.
    words = service["ExecStart"].split("/opt/linnet/bin/linnet ")[1].replace("%i", "lm").split()
    args = build_parser().parse_args(words)
    assert (args.action, args.part) == ("build", parts)


def test_the_publishers_timer_asks_thrice_a_day(tmp_path: Path) -> None:
    for name in ("linnet-fleet-refresh.timer", "linnet-fleet-refresh.service"):
        text = (ROOM / "systemd" / name).read_text("utf-8")
        text = text.replace("/opt/linnet/bin/linnet", shutil.which("true") or "")
        (tmp_path / name).write_text(text, "utf-8")
    timer = tmp_path / "linnet-fleet-refresh.timer"
    assert verify(timer) == ""
    timer.write_text(timer.read_text("utf-8").replace("00/8:00", "00/8:99"), "utf-8")
    assert "OnCalendar" in verify(timer) or "calendar" in verify(timer)


def test_publishers_units_start_commands_that_exist_and_wait_for_who_publishes() -> None:
    assert command_of("linnet-fleet-refresh", "ExecStart").action == "refresh"
    assert command_of("linnet-fleet-guard@", "ExecStart").device_class == "%i"
    assert unit("linnet-fleet-refresh")["Service"]["Restart"] == "on-failure"
    assert unit("linnet-fleet-guard@")["Service"]["Restart"] == "always"


@pytest.mark.parametrize("name", PUBLISHERS)
def test_who_holds_the_online_key_shares_nothing_with_the_box(name: str) -> None:
    service = unit(name)["Service"]
    assert (service["User"], service["Group"]) == ("linnet-fleet", "linnet-fleet")
    assert "SupplementaryGroups" not in service
    assert service["ProtectSystem"] == "strict"
    assert ("PrivateNetwork" in service) is (name == "linnet-fleet-refresh")
    users = (ROOM / "sysusers.d" / "linnet-fleet.conf").read_text("utf-8")
    assert "u linnet-fleet - " in users
    assert "linnet-fleet" not in (ROOM / "install").read_text("utf-8"), "a box needs none of it"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_mosquitto_takes_the_configuration_beside_debians(tmp_path: Path) -> None:
    mosquitto = program("mosquitto")
    port = free_port()
    acl = tmp_path / "linnet.acl"
    shutil.copy(ROOM / "mosquitto" / "linnet.acl", acl)
    acl.chmod(0o600)
    text = (ROOM / "mosquitto" / "linnet.conf").read_text("utf-8")
    text = text.replace("listener 1883", f"listener {port}")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "linnet.conf").write_text(
        text.replace("/etc/mosquitto/linnet.acl", str(acl)), "utf-8"
    )
    main = tmp_path / "mosquitto.conf"  # as Debian ships it, in a directory of our own
    main.write_text(
        f"persistence true\npersistence_location {tmp_path}/\nlog_dest stderr\n"
        f"user {os.environ.get('USER', 'root')}\ninclude_dir {tmp_path}/conf.d\n",
        "utf-8",
    )
    with subprocess.Popen([mosquitto, "-c", str(main)], stderr=subprocess.PIPE) as broker:
        try:
            assert accepts(port, broker), (broker.stderr or main.open("rb")).read()
        finally:
            broker.terminate()


def accepts(port: int, broker: subprocess.Popen[bytes]) -> bool:
    """Whether an MQTT handshake without a name succeeds."""
    connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01x"
    until = time.monotonic() + 10
    while time.monotonic() < until and broker.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
                link.sendall(connect)
                return link.recv(4) == b"\x20\x02\x00\x00"
        except OSError:
            time.sleep(0.05)
    return False


def test_alsa_braces_match() -> None:
    text = re.sub(r"#.*", "", (ROOM / "alsa" / "asound.conf").read_text("utf-8"))
    assert text.count("{") == text.count("}") > 0
