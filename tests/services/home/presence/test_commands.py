"""What is taken from the broker as a command, and what is refused without a word of it repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.presence.commands import (
    Chime,
    Command,
    Install,
    Refused,
    SetLevel,
    SetSwitch,
    filters,
    read,
)
from services.home.presence.entities import Place

PLACE = Place("linnet_00112233aabbccdd")


def taken(key: str, payload: bytes, retained: bool = False) -> Command | Refused:
    return read(PLACE, f"{PLACE.base}/{key}/set", payload, retained=retained)


@pytest.mark.parametrize(
    ("key", "payload", "command"),
    [
        ("volume", b"0", SetLevel("volume", 0)),
        ("volume", b"100.0", SetLevel("volume", 100)),
        ("sensitivity", b" 55 ", SetLevel("sensitivity", 55)),
        ("mute", b"ON", SetSwitch("mute", True)),
        ("do_not_disturb", b"OFF", SetSwitch("do_not_disturb", False)),
        ("chime", b"PRESS", Chime()),
        ("update", b"install", Install()),
    ],
)
def test_what_home_assistant_sends_is_taken(key: str, payload: bytes, command: Command) -> None:
    assert taken(key, payload) == command


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("volume", b"101"), ("volume", b"-1"), ("volume", b"1e1"), ("volume", b""),
        ("volume", b"nan"), ("volume", "٣".encode()), ("volume", b"9" * 33),
        ("sensitivity", b"100.5"), ("mute", b"on"), ("mute", b"true"), ("chime", b"ON"),
        ("update", b"INSTALL"), ("update", b"1.2"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_the_name_of_its_entity(key: str, payload: bytes) -> None:
    refused = taken(key, payload)
    assert isinstance(refused, Refused)
    assert refused.what == key


def test_a_retained_command_is_of_another_day() -> None:
    refused = taken("mute", b"OFF", retained=True)
    assert refused == Refused("mute", "a retained command is not obeyed")


@given(st.sampled_from([*filters(PLACE), "linnet/other/mute/set", ""]), st.binary(max_size=64))
def test_any_bytes_are_a_bounded_command_or_a_refusal_that_does_not_quote_them(
    topic: str, payload: bytes
) -> None:
    found = read(PLACE, topic, payload, retained=False)
    if isinstance(found, SetLevel):
        assert 0 <= found.percent <= 100
    if isinstance(found, Refused) and len(payload) > 3 and payload.isascii():
        known = "not a command of at most 32 ASCII characters not a number from 0 to 100"
        assert payload.decode() in known or payload.decode() not in found.why
