"""Slips of the fingers: which words may be one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.nearness import holds, near, plain_words

WORDS = st.text("abcdefghij", min_size=4, max_size=9)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("kithcen", "kitchen"), ("kitchn", "kitchen"), ("lamps", "lamp"), ("bedrooom", "bedroom"),
     ("lmap", "lamp"), ("thermstat", "thermostat"), ("shad", "shade")],
)  # fmt: skip
def test_a_slip_is_forgiven(typed: str, meant: str) -> None:
    assert near(typed, meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("on", "off"), ("of", "off"), ("bed", "shed"), ("fan", "van"), ("desk", "disco"),
     ("kitchen", "chicken coop"), ("right", "left")],
)  # fmt: skip
def test_another_word_is_not(typed: str, meant: str) -> None:
    assert not near(typed, meant)


@given(WORDS)
def test_a_word_is_near_itself_and_near_it_with_two_neighbours_swapped(word: str) -> None:
    assert near(word, word)
    if not word.endswith("s"):
        assert near(word[:1] + word[2] + word[1] + word[3:], word)


def test_words_typed_together_and_apart_are_found() -> None:
    assert holds(["bedlight", "on"], "bed light") == {0}
    assert holds(["turn", "on", "spot", "light"], "spotlight") == {2, 3}


def test_each_word_of_a_name_needs_a_word_of_its_own() -> None:
    assert holds(["light", "on"], "night light") == frozenset()
    assert holds(["nihgt", "light"], "night light") == {0, 1}


def test_short_ways_of_writing_are_written_out() -> None:
    assert plain_words("livingroom lite for 5 mins") == (
        "living", "room", "light", "for", "5", "minutes",
    )  # fmt: skip
