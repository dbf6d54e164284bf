"""Calls carried out on a simulated home through a real mosquitto."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.home.broker import BrokerAddress, BrokerLink, Message
from services.home.desk import Desk
from services.home.embedded_broker import free_port
from services.home.entities import Entity
from services.home.executor import Home, HomeEvent
from services.home.simulated import BASE, Fault, SimulatedHome
from services.home.simulated_devices import DEVICES
from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.replies import replies
from tests.services.home.conftest import PATIENT_S, TIMEOUT_S, until_all_known
from tests.support.mosquitto import Mosquitto

ON = Call.of("HassTurnOn", name="standing light")


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def statuses(outcome: Outcome) -> dict[str, str]:
    return {r.name: r.status for r in outcome.results}


@pytest.fixture
def spy(broker: Mosquitto) -> Iterator[tuple[BrokerLink, list[Message]]]:
    """Another client on the broker, which hears everything."""
    heard: list[Message] = []
    link = BrokerLink(broker.address, heard.append, name="spy")
    link.subscribe(["#"])
    link.start()
    link.wait_connected(20)
    # Connected is not subscribed: what is heard of itself tells that it is.
    link.publish("spy/hears", b"itself")
    until(lambda: any(m.topic == "spy/hears" for m in heard))
    yield link, heard
    link.stop()


def test_the_whole_simulated_home_is_discovered(home: Home) -> None:
    view = home.view("Kitchen")
    assert {e.entity_id for e in view.entities} == {d.entity_id for d in DEVICES}
    assert len(view.entities) >= 12
    assert len(view.areas) >= 4
    assert view.here == "kitchen"
    assert all(e.available(time.monotonic()) for e in home.entities())


@pytest.mark.parametrize(
    ("call", "device", "state"),
    [
        (ON, "standing_light", {"state": "ON", "brightness": 255}),
        (Call.of("HassTurnOn", name="desk lamp"), "desk_lamp", {"state": "ON", "brightness": 100}),
        (Call.of("HassTurnOn", name="coffee maker"), "coffee_maker", {"state": "ON"}),
        (Call.of("HassTurnOn", name="front door"), "front_door", {"state": "LOCKED"}),
        (Call.of("HassLightSet", name="bed light", brightness=50), "bed_light",
         {"state": "ON", "brightness": 128}),
        (Call.of("HassLightSet", name="kitchen lights", color="green"), "kitchen_lights",
         {"state": "ON", "brightness": 255, "color": {"x": 0.3, "y": 0.6}}),
        (Call.of("HassLightSet", name="desk lamp", brightness=20), "desk_lamp",
         {"state": "ON", "brightness": 20}),
    ],
)  # fmt: skip
def test_a_command_moves_its_device_and_is_confirmed(
    home: Home, simulated: SimulatedHome, call: Call, device: str, state: dict[str, object]
) -> None:
    outcome = home.execute(call)
    assert [r.status for r in outcome.results] == ["confirmed"]
    assert outcome.error is None
    assert simulated.state(device) == state


def test_a_room_is_commanded_at_once_and_each_device_answers_for_itself(
    hasty_home: Home, simulated: SimulatedHome
) -> None:
    simulated.set_fault("standing_light", Fault(silent=True))
    simulated.set_fault("garage_light", Fault(silent=True))
    simulated.set_fault("bed_light", Fault(offline=True))
    until(lambda: not by_name(hasty_home, "bed light").available(time.monotonic()))
    began = time.monotonic()
    outcome = hasty_home.execute(Call.of("HassTurnOn", domain="light"))
    assert time.monotonic() - began < 2 * TIMEOUT_S, "time-outs run together"
    assert statuses(outcome) == {
        "standing light": "timeout", "bed light": "unavailable", "ceiling light": "confirmed",
        "kitchen lights": "confirmed", "office light": "confirmed", "desk lamp": "confirmed",
        "hallway light": "confirmed", "garage light": "timeout",
    }  # fmt: skip
    assert all(c.device_id != "bed_light" for c in simulated.commands), "nothing sent to the absent"


def by_name(home: Home, name: str) -> Entity:
    (entity,) = [e for e in home.entities() if e.name == name]
    return entity


def test_a_slow_device_is_waited_for_and_one_slower_still_is_not(
    hasty_home: Home, simulated: SimulatedHome
) -> None:
    simulated.set_fault("standing_light", Fault(answer_s=0.3))
    assert statuses(hasty_home.execute(ON)) == {"standing light": "confirmed"}
    simulated.set_fault("standing_light", Fault(answer_s=2 * TIMEOUT_S))
    off = Call.of("HassTurnOff", name="standing light")
    assert statuses(hasty_home.execute(off)) == {"standing light": "timeout"}


def test_a_state_from_before_the_command_proves_nothing(
    hasty_home: Home, simulated: SimulatedHome
) -> None:
    assert statuses(hasty_home.execute(ON)) == {"standing light": "confirmed"}
    simulated.set_fault("standing_light", Fault(silent=True))
    assert statuses(hasty_home.execute(ON)) == {"standing light": "timeout"}


def test_what_the_broker_remembers_proves_nothing(
    hasty_home: Home, simulated: SimulatedHome, spy: tuple[BrokerLink, list[Message]]
) -> None:
    assert statuses(hasty_home.execute(ON)) == {"standing light": "confirmed"}
    simulated.set_fault("standing_light", Fault(silent=True))
    link, heard = spy
    # A second entity on the same state topic makes the broker send its retained state again.
    twin = {"name": "Twin", "state_topic": f"{BASE}/standing_light"}

    def announce() -> None:
        until(lambda: len([m for m in heard if m.topic.endswith("standing_light/set")]) == 2)
        link.publish("homeassistant/sensor/twin/config", json.dumps(twin).encode())

    announcing = threading.Thread(target=announce)
    announcing.start()
    assert statuses(hasty_home.execute(ON)) == {"standing light": "timeout"}
    announcing.join()
    until(lambda: by_name(hasty_home, "twin").state.value is not None)


def test_a_jammed_lock_is_told_as_refused_and_no_lock_is_opened(
    home: Home, simulated: SimulatedHome
) -> None:
    simulated.set_fault("front_door", Fault(jammed=True))
    outcome = home.execute(Call.of("HassTurnOn", name="front door"))
    assert statuses(outcome) == {"front door": "rejected"}
    outcome = home.execute(Call.of("HassTurnOff", name="front door"))
    assert (outcome.error, outcome.results) == ("needs_confirmation", ())
    assert [c.payload for c in simulated.commands] == [b"LOCK"]


@pytest.mark.parametrize(
    ("name", "state"),
    [("outdoor humidity", "54 percent"), ("ecobee", "21.5 degrees"), ("garage door", "closed"),
     ("front door", "unlocked"), ("kitchen window", "closed"), ("television", "off")],
)  # fmt: skip
def test_states_are_told(home: Home, name: str, state: str) -> None:
    (result,) = home.execute(Call.of("HassGetState", name=name)).results
    assert (result.status, result.state) == ("confirmed", state)


def test_states_follow_what_is_moved_by_hand(home: Home, simulated: SimulatedHome) -> None:
    simulated.change("garage_door", state="open")
    until(lambda: by_name(home, "garage door").state.value == "open")
    simulated.set_fault("garage_door", Fault(offline=True))
    until(lambda: not by_name(home, "garage door").available(time.monotonic()))
    (result,) = home.execute(Call.of("HassGetState", name="garage door")).results
    assert (result.status, result.state) == ("unavailable", None)


def test_commands_are_never_retained(
    home: Home, spy: tuple[BrokerLink, list[Message]], broker: Mosquitto, simulated: SimulatedHome
) -> None:
    for call in (ON, Call.of("HassLightSet", name="desk lamp", brightness=9),
                 Call.of("HassTurnOn", name="front door")):  # fmt: skip
        home.execute(call)
    _, heard = spy
    until(lambda: len([m for m in heard if m.topic.endswith("/set")]) == 4)
    late: list[Message] = []
    latecomer = BrokerLink(broker.address, late.append, name="late")
    latecomer.subscribe([f"{BASE}/#"])
    latecomer.start()
    until(lambda: len([m for m in late if m.topic == f"{BASE}/desk_lamp"]) == 1)
    latecomer.stop()
    assert all(m.retained for m in late)
    assert not any(m.topic.endswith("/set") for m in late)
    assert not any(c.retained for c in simulated.commands)


def test_a_retained_command_moves_nothing_in_the_simulated_home(
    broker: Mosquitto, spy: tuple[BrokerLink, list[Message]]
) -> None:
    link, _ = spy
    link.publish_state(f"{BASE}/front_door/set", b"LOCK")
    with SimulatedHome(broker.address) as simulated:
        until(lambda: simulated.commands)
        time.sleep(0.1)
        assert simulated.commands[0].retained
        assert simulated.state("front_door") == {"state": "UNLOCKED"}


def test_removal_and_a_new_device_in_device_form(
    home: Home, simulated: SimulatedHome, spy: tuple[BrokerLink, list[Message]]
) -> None:
    link, heard = spy
    simulated.remove("standing_light")
    until(lambda: all(e.name != "standing light" for e in home.entities()))
    assert home.execute(ON).error == "no_device"
    parts = {"l": {"p": "light", "name": None, "cmd_t": "~/set", "stat_t": "~"}}
    hub = {"~": "lava", "dev": {"name": "Lava Lamp", "sa": "Office"}, "o": {"name": "x"}}
    body = json.dumps({**hub, "cmps": parts}).encode()
    link.publish_state("homeassistant/device/lava/config", body)
    until(lambda: any(e.name == "lava lamp" for e in home.entities()))
    link.publish_state("lava", b"OFF")
    until(lambda: by_name(home, "lava lamp").state.value == "off")
    answered = threading.Thread(
        target=lambda: (
            until(lambda: any(m.topic == "lava/set" for m in heard)),
            link.publish_state("lava", b"ON"),
        )
    )
    answered.start()
    outcome = home.execute(Call.of("HassTurnOn", name="lava lamp"))
    answered.join()
    assert statuses(outcome) == {"lava lamp": "confirmed"}
    link.publish_state("homeassistant/device/lava/config", b"")
    until(lambda: all(e.name != "lava lamp" for e in home.entities()))


def test_hostile_payloads_cost_one_line_each_and_nothing_else(
    home: Home, spy: tuple[BrokerLink, list[Message]], caplog: pytest.LogCaptureFixture
) -> None:
    link, heard = spy
    before = home.view()
    caplog.set_level(logging.WARNING)
    bad = {
        "homeassistant/light/evil/config": b"secret {",
        "homeassistant/light/deep/config": b"[" * 100_000,
        "homeassistant/light/huge/config": b'{"name": "' + b"x" * 300_000 + b'"}',
        "homeassistant/light/wrong/config": b'{"command_topic": 7, "name": {}}',
        "homeassistant/sensor/loop/config":
            b'{"state_topic": "a", "value_template": "{% for x in y %}{% endfor %}"}',
        f"{BASE}/standing_light": b'{"state": "ON", "brightness": "secret"',
        f"{BASE}/desk_lamp/brightness": b"-9e999",
        f"{BASE}/outdoor_humidity": b"\xff" * 100,
    }  # fmt: skip
    for topic, payload in bad.items():
        link.publish(topic, payload)
    link.publish(f"{BASE}/ecobee", b'{"value": 3}')
    until(lambda: by_name(home, "ecobee").state.value == "3 degrees")
    until(lambda: any(m.topic == f"{BASE}/ecobee" and not m.retained for m in heard))
    assert home.view() == before
    assert by_name(home, "standing light").state.value == "off"
    configs = [t for t in bad if t.endswith("/config")]
    told = [r.getMessage() for r in caplog.records]
    ours = [line for line in told if "homeassistant/" in line]
    # The spy is a link too and drops the huge one as well.
    assert sorted(t for t in configs for line in ours if t in line) == sorted(
        [*configs, "homeassistant/light/huge/config"]
    )
    assert "secret" not in caplog.text
    assert statuses(home.execute(ON)) == {"standing light": "confirmed"}


def test_an_interrupted_turn_sends_nothing(home: Home, simulated: SimulatedHome) -> None:
    outcome = home.execute(ON, 7, lambda turn_id: turn_id > 7)
    assert (outcome.error, outcome.results) == ("cancelled", ())
    started = home.execute(Call.of("HassStartTimer", minutes=1), 7, lambda turn_id: False)
    assert started.error == "cancelled"
    assert home.timers.running() == ()
    assert simulated.commands == ()


def test_a_turn_interrupted_half_way_sends_no_more_and_tells_what_it_did(
    home: Home, simulated: SimulatedHome
) -> None:
    asked: list[int] = []

    def current(turn_id: int) -> bool:
        asked.append(turn_id)
        return len(asked) <= 3

    outcome = home.execute(Call.of("HassTurnOn", domain="light"), 4, current)
    assert outcome.error == "cancelled"
    assert [r.status for r in outcome.results] == ["confirmed", "confirmed"]
    assert len({c.device_id for c in simulated.commands}) == 2
    assert set(asked) == {4}


def test_steps_are_told_with_their_turn(broker: Mosquitto, simulated: SimulatedHome) -> None:
    events: list[HomeEvent] = []
    with Home(broker.address, timeout_s=PATIENT_S, observe=events.append) as home:
        home.wait_connected(20)
        until_all_known(home, simulated)
        home.execute(ON, 12)
    assert [(e.kind, e.turn_id, e.entity_id) for e in events] == [
        ("sent", 12, "light.standing_light"),
        ("confirmed", 12, "light.standing_light"),
    ]
    assert events[0].at_s <= events[1].at_s


def test_two_calls_at_once_do_not_mix(home: Home) -> None:
    calls = [Call.of("HassTurnOn", name=n) for n in ("bed light", "television", "desk lamp")]
    outcomes: dict[Call, Outcome] = {}
    threads = [
        threading.Thread(target=lambda c=call: outcomes.update({c: home.execute(c)}))
        for call in calls
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for call in calls:
        assert statuses(outcomes[call]) == {call.args["name"]: "confirmed"}


def test_the_simulated_home_goes_away_by_its_last_will(
    broker: Mosquitto, home: Home, simulated: SimulatedHome
) -> None:
    simulated.stop()
    until(lambda: not by_name(home, "standing light").available(time.monotonic()))
    assert statuses(home.execute(ON)) == {"standing light": "unavailable"}


def test_timers_ring_without_a_broker() -> None:
    rung = threading.Event()
    with Home(BrokerAddress(port=free_port()), ring=lambda timer: rung.set()) as home:
        assert home.execute(Call.of("HassStartTimer", seconds=1)).error is None
        assert home.execute(ON).error == "offline"
        assert home.execute(Call.of("HassGetCurrentTime")).facts.keys() == {"time"}
        assert rung.wait(3)
        assert home.execute(Call.of("LinnetStop")).facts == {"stopped": 1}


def test_a_home_that_starts_again_finds_its_timers(tmp_path: Path) -> None:
    nowhere = BrokerAddress(port=free_port())
    with Home(nowhere, desk=Desk(folder=tmp_path)) as home:
        home.execute(Call.of("HassStartTimer", hours=1, name="pizza"))
        home.execute(Call.of("HassSetVolume", volume_level=30))
    with Home(nowhere, desk=Desk(folder=tmp_path)) as home:
        (timer,) = home.timers.running()
        assert timer.name == "pizza"
        assert 3500 < home.timers.remaining_s(timer) <= 3600


def test_a_bit_brighter_is_sent_as_the_brightness_to_have(
    home: Home, simulated: SimulatedHome, spy: tuple[BrokerLink, list[Message]]
) -> None:
    link, _ = spy
    home.execute(Call.of("HassLightSet", name="desk lamp", brightness=40))
    outcome = home.execute(
        Call.of("LinnetAdjust", name="desk lamp", quantity="brightness", direction="up")
    )
    assert outcome.call == Call.of("HassLightSet", name="desk lamp", brightness=60)
    assert statuses(outcome) == {"desk lamp": "confirmed"}
    assert simulated.state("desk_lamp")["brightness"] == 60
    (asked,) = (c for c in simulated.commands if c.payload == b"60")
    link.publish(asked.topic, asked.payload)  # what arrives twice does nothing twice
    until(lambda: [c.payload for c in simulated.commands].count(b"60") == 2)
    undone = home.execute(Call.of("LinnetUndo"))
    assert statuses(undone) == {"desk lamp": "confirmed"}
    assert simulated.state("desk_lamp")["brightness"] == 40


def test_a_thing_that_never_said_where_it_is_is_named_instead_of_moved(
    home: Home, spy: tuple[BrokerLink, list[Message]]
) -> None:
    link, heard = spy
    body = {
        "name": "mute lamp", "command_topic": "mute/set", "state_topic": "mute",
        "schema": "json", "brightness": True, "supported_color_modes": ["brightness"],
    }  # fmt: skip
    link.publish("homeassistant/light/mute_lamp/config", json.dumps(body).encode())
    until(lambda: any(e.name == "mute lamp" for e in home.entities()))
    call = Call.of("LinnetAdjust", name="mute lamp", quantity="brightness", direction="up")
    outcome = home.execute(call)
    assert (outcome.error, outcome.facts, outcome.results) == (
        "state_unknown", {"unknown": "mute lamp"}, (),
    )  # fmt: skip
    assert replies(outcome) == ("i don't know the present state of the mute lamp",)
    assert not [m for m in heard if m.topic == "mute/set"]


def test_a_speech_model_that_calls_a_tool_of_others_is_told_that_it_cannot(
    home: Home, spy: tuple[BrokerLink, list[Message]]
) -> None:
    _, heard = spy
    before = len(heard)
    outcome = home.execute(Call.of("weather__get_forecast", place="oslo"))
    assert (outcome.error, outcome.results) == ("unsupported", ())
    assert not [m for m in heard[before:] if m.topic.endswith("set")]
