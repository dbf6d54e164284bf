"""What devices say over MQTT: read with bounds, on topics that nobody else can take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.errors import Reason
from ota.phases import Phase
from ota.rollout.status import (
    MAX_STATUS_BYTES,
    GateResult,
    Inventory,
    Kind,
    Nudge,
    OtaEvent,
    OtaState,
    StatusError,
    Topics,
    device_and_kind,
    filters,
    parse,
)

STAMP: dict[str, Any] = {"ts": 1.8e9, "boot_id": "0f8fad5b-d9cb-469f-a165-70867728950e", "seq": 7}
KINDS: tuple[Kind, ...] = ("online", "state", "event", "gate", "inventory")


def test_a_state_survives_the_wire() -> None:
    sent = OtaState(**STAMP, phase=Phase.FAILED, wanted="2026.3", reason=Reason.NO_ROOM)
    assert parse(OtaState, sent.model_dump_json().encode()) == sent


def test_a_newer_device_may_say_more() -> None:
    said = {**STAMP, "phase": "idle", "mood": "fine"}
    assert parse(OtaState, json.dumps(said).encode()).phase is Phase.IDLE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phase", "flying"),
        ("ts", -1),
        ("seq", -1),
        ("seq", 1.5),
        ("boot_id", "../etc"),
        ("release", "1;drop"),
        ("reason", 999),
        ("progress", 2),
        ("trial_left", 10**9),
        ("generation", "g" * 129),
    ],
)
def test_a_state_out_of_bounds_is_refused_without_being_quoted(field: str, value: object) -> None:
    payload = json.dumps({**STAMP, "phase": "idle", field: value}).encode()
    with pytest.raises(StatusError, match=f"OtaState at {field}") as refused:
        parse(OtaState, payload)
    assert str(value) not in str(refused.value).replace(field, "")


def test_an_oversized_payload_is_not_even_parsed() -> None:
    with pytest.raises(StatusError, match="larger"):
        parse(Nudge, b" " * (MAX_STATUS_BYTES + 1))


@given(st.binary(max_size=200), st.sampled_from([OtaState, OtaEvent, GateResult, Inventory, Nudge]))
def test_garbage_is_a_status_error_and_nothing_else(payload: bytes, model: type[OtaState]) -> None:
    try:
        parse(model, payload)
    except StatusError:
        return
    assert model is Nudge  # the only one whose fields all have defaults


@pytest.mark.parametrize("kind", KINDS)
def test_a_topic_leads_back_to_its_device_and_matches_one_filter(kind: Kind) -> None:
    topic = Topics("acme", "spk-0001").of(kind)
    assert device_and_kind(topic, "acme") == ("spk-0001", kind)
    tail = topic.split("/")[4:]
    assert sum(one.split("/")[4:] == tail for one in filters("acme")) == 1


@pytest.mark.parametrize(
    "topic",
    [
        "fleet/v1/other/spk/online",
        "fleet/v1/acme/spk/ota/nudge",
        "fleet/v1/acme/class/orin/ota/nudge",
        "fleet/v1/acme//online",
        "fleet/v1/acme/spk/online/more",
        "fleet/v1/acme/" + "s" * 65 + "/online",
    ],
)
def test_other_topics_are_nobodys(topic: str) -> None:
    assert device_and_kind(topic, "acme") is None


@given(st.text(max_size=80))
def test_any_device_name_is_a_topic_that_reads_back_or_an_error(name: str) -> None:
    try:
        topic = Topics("acme", name).of("state")
    except ValueError:
        return
    assert device_and_kind(topic, "acme") == (name, "state")


def test_wildcards_cannot_hide_in_a_name() -> None:
    for name in ("+", "#", "a/b", "$SYS", ""):
        with pytest.raises(ValueError, match="pattern"):
            Topics("acme", name)


def test_a_device_hears_nudges_of_its_own_and_of_its_class() -> None:
    assert Topics("acme", "spk").nudges("orin-nano-jp6") == (
        "fleet/v1/acme/spk/ota/nudge",
        "fleet/v1/acme/class/orin-nano-jp6/ota/nudge",
    )
