"""The transitions given to a word recogniser say exactly the grammar's sentences."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.language.finite_state import SILENCE, of_grammar, of_texts
from services.language.grammar import compile_grammar
from tests.support.homes import two_lights

GRAMMAR = compile_grammar(two_lights())
STATES = of_grammar(GRAMMAR)


def walk(states, rng):
    leaving = {}
    for transition in states.transitions:
        if transition[3:] != (SILENCE,):
            leaving.setdefault(transition[0], []).append(transition)
    state, words = 0, []
    while state != states.final:
        _, state, share, *word = rng.choice(leaving[state])
        assert 0 < share <= 1
        words += word
    return " ".join(words)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_every_walk_is_a_sentence_of_the_grammar(seed):
    assert GRAMMAR.interpret(walk(STATES, random.Random(seed))) is not None


@given(st.lists(st.sampled_from(["on", "lamp off", "a b c"]), min_size=1, max_size=4), st.data())
def test_given_texts_are_all_that_can_be_said(texts, data):
    seed = data.draw(st.integers(0, 999))
    assert walk(of_texts(texts), random.Random(seed)) in texts
