"""Who an appliance is: the same after a restart, and nothing of the machine's own id."""

from __future__ import annotations

import re
from pathlib import Path

from services.home.presence.identity import is_appliance, object_id

MACHINE = "0123456789abcdef0123456789abcdef"


def machine(folder: Path, text: str) -> Path:
    path = folder / "machine-id"
    path.write_text(text)
    return path


def test_it_is_stable_and_does_not_hold_the_machine_id(tmp_path: Path) -> None:
    one = object_id([machine(tmp_path, MACHINE + "\n")])
    assert one == object_id([tmp_path / "missing", tmp_path / "machine-id"])
    assert re.fullmatch(r"linnet_[0-9a-f]{16}", one)
    assert one.removeprefix("linnet_") not in MACHINE
    assert not any(MACHINE[i : i + 6] in one for i in range(26))


def test_two_machines_are_two_appliances(tmp_path: Path) -> None:
    one = object_id([machine(tmp_path, MACHINE)])
    assert object_id([machine(tmp_path, MACHINE[::-1])]) != one


def test_a_machine_without_an_id_is_known_by_its_host_name(tmp_path: Path) -> None:
    missing = [machine(tmp_path, "uninitialized\n"), tmp_path / "none"]
    assert object_id(missing, "attic") == object_id(missing, "attic")
    assert object_id(missing, "attic") != object_id(missing, "cellar")


def test_a_linnet_is_known_by_its_topic_and_nothing_else_is(tmp_path: Path) -> None:
    own = object_id([machine(tmp_path, MACHINE)])
    assert is_appliance(f"homeassistant/device/{own}/config", "homeassistant")
    assert is_appliance(f"a/b/device/{own}/config", "a/b")
    for topic in (
        f"homeassistant/device/{own}x/config",
        f"homeassistant/switch/{own}/config",
        f"x/homeassistant/device/{own}/config",
        "homeassistant/device/linnet_lamp/config",
    ):
        assert not is_appliance(topic, "homeassistant")
