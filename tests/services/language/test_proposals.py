"""What a line may mean in a home: everything its words allow, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluate.intents_home import merged_home
from services.language.calls import Call
from services.language.functions import FUNCTIONS, checked
from services.language.homeview import EntityView, HomeView
from services.language.proposals import proposals

HOME = merged_home("en").view
NAMES = {e.name for e in HOME.entities} | {a for e in HOME.entities for a in e.aliases}


def moving(text: str) -> list[Call]:
    return [c for c in proposals(text, HOME) if FUNCTIONS[c.name].effect == "moves"]


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("plz make teh kitchen lite brighter to 40",
         Call.of("HassLightSet", name="kitchen lights", brightness=40)),
        ("desk lamp off now would be great", Call.of("HassTurnOff", name="desk lamp")),
        ("bedrom lihgts blue", Call.of("HassLightSet", area="bedroom", color="blue")),
        ("set a tmier for one hour 5 mins", Call.of("HassStartTimer", hours=1, minutes=5)),
        ("thermostat twenty one degrees thx",
         Call.of("HassClimateSetTemperature", name="thermostat", temperature=21)),
        ("lights off in the whole huose pls",
         Call.of("HassTurnOff", area="everywhere", domain="light")),
        ("reading light in bedroom on pls",
         Call.of("HassTurnOn", area="bedroom", name="reading light")),
    ],
)  # fmt: skip
def test_what_is_meant_is_among_the_proposals(line: str, call: Call) -> None:
    assert call in proposals(line, HOME)


@pytest.mark.parametrize(
    "line",
    ["dont turn on the desk lamp", "desk lamp on if it rains", "desk lamp off in 10 minutes",
     "desk lamp on and tower fan off", "should i turn the desk lamp on", "desk lamp off tomorrow"],
)  # fmt: skip
def test_what_is_denied_put_off_or_joined_moves_nothing(line: str) -> None:
    assert moving(line) == []


def test_a_device_that_is_not_named_is_never_proposed() -> None:
    assert {c.args.get("name") for c in proposals("desk lamp pls on", HOME)} <= {None, "desk lamp"}


def test_a_named_device_is_not_taken_for_its_whole_kind() -> None:
    assert all("name" in c.args for c in moving("desk lamp pls off"))


def test_a_number_that_was_typed_is_never_passed_over() -> None:
    assert all(40 in c.args.values() for c in moving("desk lamp pls 40"))


def test_locks_are_meant_by_name_only_and_no_alarm_system_is_armed_by_guessing() -> None:
    for line in ("unlock evrything in the hallway", "unlock kitchen", "arm teh home alarm pls"):
        for call in moving(line):
            assert call.args.get("domain") != "lock"
            assert call.name != "LinnetArm"


def test_loudness_needs_a_word_of_its_own() -> None:
    assert not [c for c in proposals("desk 40", HOME) if c.name == "HassSetVolume"]
    assert Call.of("HassSetVolume", volume_level=40) in proposals("volumme at 40 pls", HOME)


def test_a_home_of_a_thousand_devices_bears_few_proposals() -> None:
    many = tuple(EntityView(f"light.l{n}", f"lamp {n}", "light", "kitchen") for n in range(1_000))
    assert len(proposals("lamp pls on", replace(HOME, entities=many))) < 300


@given(st.lists(st.sampled_from(
    [*sorted(NAMES), "on", "off", "pls", "forty", "two", "minutes", "blue", "kitchen", "open"]
), max_size=6))  # fmt: skip
def test_every_proposal_is_a_call_of_the_table_that_bears_a_name_of_the_home(
    words: list[str],
) -> None:
    for call in proposals(" ".join(words), HOME):
        assert checked(call) == call
        assert call.args.get("name") in {None, *(e.name for e in HOME.entities)}
        assert call.args.get("area") in {None, "everywhere", *HOME.areas}


def test_an_empty_home_has_no_devices_to_propose() -> None:
    assert all(not FUNCTIONS[c.name].domains for c in proposals("lamp on pls", HomeView()))
