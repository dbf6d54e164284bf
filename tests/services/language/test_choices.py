"""A model that may only choose: every text it can end with is one of those given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.choices import Choices, calls_of
from services.language.grammar import compile_grammar
from services.language.homeview import EntityView, HomeView

HOME = HomeView(
    (
        EntityView(
            "light.desk", "desk lamp", "light", "office", features=frozenset({"brightness"})
        ),
        EntityView("switch.fan", "fan", "switch", "office"),
    ),
    ("office",),
)
TEXTS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6).map(tuple), min_size=1)


@given(texts=TEXTS, choose=st.lists(st.integers(0, 100), min_size=7, max_size=7))
def test_whatever_is_chosen_ends_in_a_given_text(
    texts: list[tuple[int, ...]], choose: list[int]
) -> None:
    cursor, said = Choices.of(texts).cursor(), []
    for number in choose:
        if not (allowed := cursor.next):
            break
        assert allowed == sorted(set(allowed))
        said.append(allowed[number % len(allowed)])
        cursor.advance(said[-1])
    assert tuple(said) in texts


@given(texts=TEXTS)
def test_every_text_that_no_other_continues_can_be_said(texts: list[tuple[int, ...]]) -> None:
    for text in texts:
        cursor = Choices.of(texts).cursor()
        for token in text:
            assert token in cursor.next
            cursor.advance(token)


def test_another_id_is_refused() -> None:
    cursor = Choices.of([(1, 2), (1, 3)]).cursor()
    cursor.advance(1)
    for token in (1, 4, -1):
        with pytest.raises(ValueError, match="not among"):
            cursor.advance(token)
    assert cursor.next == [2, 3]


def test_nothing_to_choose_from_is_an_error() -> None:
    for texts in ([], [()]):
        with pytest.raises(ValueError, match="at least one"):
            Choices.of(texts)


def test_the_calls_of_a_home_are_those_its_sentences_mean() -> None:
    grammar = compile_grammar(HOME)
    calls = calls_of(grammar)
    assert len(set(calls)) == len(calls)
    said = {call for _, call in grammar.sentences(3_000)}
    assert said <= set(calls)
    assert grammar.interpret("turn on the desk lamp") in calls


def test_a_home_too_large_is_cut_and_not_refused() -> None:
    assert len(calls_of(compile_grammar(HOME), limit=7)) == 7
