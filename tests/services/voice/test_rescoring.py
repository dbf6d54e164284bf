"""Judges are weighed; when nothing fits, nothing was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.calls import Call
from services.voice.rescoring import Scored, Weights, believed, decide, ranked, total

ON, OFF = Call.of("HassTurnOn", name="bed light"), Call.of("HassTurnOff", name="bed light")


def scored(call: Call, ctc: float, lm: float = 0.0, opinion: float | None = None) -> Scored:
    return Scored("turn on bed light", call, ctc, lm, 0.0, opinion)


def test_the_better_fit_wins_when_the_others_are_silent() -> None:
    assert decide([scored(OFF, -9.0), scored(ON, -2.0)], Weights()) == scored(ON, -2.0)


def test_the_language_model_can_turn_a_close_decision() -> None:
    near, far = scored(ON, -3.0, lm=-12.0), scored(OFF, -4.0, lm=-2.0)
    assert decide([near, far], Weights(lm=0.5)) == far
    assert decide([near, far], Weights(lm=0.0)) == near


def test_what_the_codes_kept_can_turn_a_close_decision() -> None:
    near, far = replace(scored(ON, -3.0), behind=-8.0), replace(scored(OFF, -4.0), behind=-1.0)
    assert decide([near, far], Weights(behind=0.5)) == far
    assert decide([near, far], Weights(behind=0.0)) == near


def test_a_call_the_second_recogniser_did_not_think_of_pays_for_it() -> None:
    alone, backed = scored(ON, -2.0), scored(OFF, -4.0, opinion=0.0)
    assert decide([alone, backed], Weights(opinion=20.0, unheard=-0.5)) == backed


def test_the_second_recogniser_alone_can_be_believed() -> None:
    person = replace(scored(ON, -60.0, opinion=0.0), ratio=-0.3)
    assert decide([person], Weights(reject=-1.1, accept=-0.6)) == person
    assert decide([replace(person, ratio=-0.9)], Weights(reject=-1.1, accept=-0.6)) is None


def test_speech_about_something_else_is_nothing() -> None:
    assert decide([scored(ON, -60.0)], Weights(reject=-1.1)) is None
    assert decide([], Weights()) is None


def test_an_unknown_weight_in_a_bundle_is_named() -> None:
    with pytest.raises(ValueError, match="'louder'"):
        Weights.of({"ctc": 1.0, "louder": 2.0})


finite = st.floats(-50, 0)


@given(st.lists(st.builds(scored, st.sampled_from([ON, OFF]), finite, finite), min_size=1))
def test_the_choice_is_the_best_total_that_fits(candidates: list[Scored]) -> None:
    weights = Weights()
    chosen = decide(candidates, weights)
    best = ranked(candidates, weights)[0]
    assert total(best, weights) == max(total(c, weights) for c in candidates)
    assert chosen == (best if believed(best, weights) else None)
