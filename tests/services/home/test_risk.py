"""Which calls need a yes: the table, and that nothing slips past it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.risk import GUARDED, HARMLESS, risk, sort_out
from services.language.calls import Call
from tests.services.home.guarded import steps, thing

ON, OFF, STOP = Call.of("HassTurnOn"), Call.of("HassTurnOff"), Call.of("HassStopMoving")


def position(percent: int) -> Call:
    return Call.of("HassSetPosition", position=percent)


@pytest.mark.parametrize(
    ("call", "domain", "device_class", "risky"),
    [
        (ON, "lock", None, None),  # on means lock: the trap
        (OFF, "lock", None, "unlock"),
        (ON, "cover", "garage", "open"),
        (ON, "cover", "door", "open"),
        (ON, "cover", "gate", "open"),
        (ON, "cover", "portcullis", "open"),  # no class we know
        (OFF, "cover", "garage", None),
        (STOP, "cover", "gate", None),
        (position(0), "cover", "garage", None),
        (position(1), "cover", "garage", "open"),
        (position(40), "cover", "blind", None),
        (ON, "cover", "shutter", None),
        (ON, "cover", None, None),
        (ON, "valve", "water", "open"),
        (ON, "valve", "gas", "open"),
        (ON, "valve", None, "open"),
        (OFF, "valve", "gas", None),
        (position(50), "valve", "water", "open"),
        (ON, "siren", None, "sound"),
        (OFF, "siren", None, None),
        (Call.of("LinnetArm", mode="away"), "alarm_control_panel", None, None),
        (Call.of("LinnetArm", mode="disarmed"), "alarm_control_panel", None, "disarm"),
        (Call.of("LinnetArm"), "alarm_control_panel", None, "disarm"),
        (OFF, "alarm_control_panel", None, "disarm"),
        (ON, "light", None, None),
        (OFF, "switch", None, None),
        (Call.of("HassToggle"), "lock", None, "unlock"),  # no call we know
        (ON, "drawbridge", None, "change"),  # no domain we know
        (Call.of("HassGetState"), "lock", None, None),
    ],
)
def test_the_table(call: Call, domain: str, device_class: str | None, risky: str | None) -> None:
    assert risk(call, thing(domain, device_class=device_class)) == risky


@pytest.mark.parametrize(
    ("domain", "name", "call", "risky"),
    [
        ("cover", "garage door", ON, "open"),
        ("cover", "garage door", OFF, None),
        ("cover", "garage blinds", ON, None),
        ("switch", "garage door", ON, "turn on"),  # a relay: nobody knows which way is shut
        ("switch", "garage door", OFF, "turn off"),
        ("switch", "garage light", ON, None),
        ("button", "driveway gate", ON, "turn on"),
        ("light", "garage", ON, None),
    ],
)
def test_what_is_named_like_a_door_is_taken_for_one(
    domain: str, name: str, call: Call, risky: str | None
) -> None:
    assert risk(call, thing(domain, name)) == risky


@given(st.text(max_size=20), st.sampled_from(sorted(GUARDED)), st.integers(-5, 200))
def test_in_a_guarded_domain_only_what_the_table_names_is_free(
    name: str, domain: str, percent: int
) -> None:
    call = Call.of(name, position=percent)
    free = risk(call, thing(domain, device_class="garage")) is None
    shut = name == "HassSetPosition" and percent == 0 and "HassTurnOff" in GUARDED[domain].safe
    assert free == (name in GUARDED[domain].safe - {"LinnetArm"} or name == "HassGetState" or shut)


def test_a_room_with_a_lock_in_it_is_split() -> None:
    lamp, lock = thing("light", "lamp"), thing("lock", "front door")
    alarm = thing("alarm_control_panel", "alarm")
    found = sort_out(steps(OFF, lamp, lock, alarm))
    assert [step.entity for step in found.free] == [lamp]
    assert [(danger, step.entity) for danger, step in found.asked] == [("unlock", lock)]
    assert [(danger, step.entity) for danger, step in found.refused] == [("disarm", alarm)]


def test_no_domain_is_both_harmless_and_guarded() -> None:
    assert not HARMLESS & GUARDED.keys()
