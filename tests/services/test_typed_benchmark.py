"""``linnet bench --typed``: what it asks, and real small runs of it."""

from __future__ import annotations

import json

import pytest

from services.bench.crowd import Crowd, crowd, sentences
from services.bench.mosquitto import installed
from services.bench.typed import PARTS, TypedBench, lines_of
from services.cli import main
from services.exit_codes import ExitCode
from services.home.broker import BrokerLink, Message
from services.language.folding import fold
from services.settings import Settings
from tests.services.home.conftest import PATIENT_S
from tests.services.home.test_home import until

DEVICES, LINES = 30, 12


@pytest.mark.parametrize("count", [1, 1000, 5000])
def test_no_two_devices_of_the_crowd_are_called_the_same(count: int) -> None:
    devices = crowd(count)
    assert len({fold(device.name) for device in devices}) == count
    assert len({device.device_id for device in devices}) == count
    assert len({device.area for device in devices}) == min(20, count)


def test_the_draw_of_lines_is_the_same_each_time_and_knows_what_each_moves() -> None:
    devices = crowd(60)
    lines = sentences(devices, 400)
    assert lines == sentences(devices, 400)
    assert lines != sentences(devices, 400, seed=2)
    named = [line for line in lines if any(device.name in line.text for device in devices)]
    assert len(lines) > len(named) > 300
    assert all(line.devices == 1 for line in named)
    for line in lines:
        room = line.text.split(" the ")[1].removesuffix(" lights")
        lights = [d for d in devices if d.platform == "light" and d.area == room]
        assert line.devices == (len(lights) or 1)


@pytest.mark.parametrize("program", [None, "mosquitto"])
def test_the_crowd_says_all_of_itself_again_when_asked_to(program: str | None) -> None:
    if program and installed() is None:
        pytest.skip("mosquitto is not installed")
    heard: list[str] = []

    def note(message: Message) -> None:
        if not message.retained:
            heard.append(message.topic)

    with Crowd(5, installed() if program else None) as people:
        link = BrokerLink(people.address, note)
        link.subscribe(["homeassistant/#", "crowd/#"])
        link.start()
        link.wait_connected(PATIENT_S)
        people.announce_again()
        until(lambda: {d.config_topic for d in crowd(5)} <= set(heard))
        link.stop()


def test_a_small_home_is_found_and_moved_and_every_figure_is_of_that_run() -> None:
    table = TypedBench(Settings(), DEVICES).measure(LINES)
    assert table["devices"] == DEVICES
    assert table["lines"] == {"asked": LINES, "sent": LINES, "all_confirmed": LINES}
    text, confirm = table["text_ms"], table["confirm_ms"]
    assert 0 < text["p50"] <= text["p95"]
    assert text["p50"] < confirm["p50"]
    assert table["text_cpu_ms"]["p50"] > 0
    assert set(table["parts_ms"]) == set(table["shares"]) == set(PARTS)
    assert sum(table["shares"].values()) == pytest.approx(1, abs=0.01)
    assert 0 < table["discovery_s"] <= table["states_s"]
    assert table["discovery_cpu_s"] > 0
    assert len(table["rss_mb"]["announced_again"]) == 2
    assert table["rss_mb"]["before"] > 20
    told = "\n".join(lines_of(table))
    assert f"p50 {text['p50']} ms, p95 {text['p95']} ms" in told
    assert f"{table['discovery_s']} s" in told


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--typed", "--devices", "12", "--limit", "3", "--json"]
    assert main(arguments) == ExitCode.OK
    table = json.loads(capsys.readouterr().out)
    assert {"text_ms", "confirm_ms", "discovery_s", "rss_mb", "shares", "broker"} <= table.keys()
    assert (table["devices"], table["lines"]["asked"]) == (12, 3)


def test_a_size_without_typed_lines_is_a_mistake() -> None:
    assert main(["bench", "--devices", "12"]) == ExitCode.USAGE
