"""The likeliest of some calls, found by reading as little as possible."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.speech.language_model import log_softmax
from services.language.call_search import Floats, Written, likeliest

VOCAB = 6
OPTIONS = [list(ids) for ids in itertools.product(range(4), repeat=3)]


class Chance:
    """A model whose next id hangs on all ids before it, by a seeded table."""

    def __init__(self, seed: int, sharp: float = 3.0) -> None:
        self._seed, self._sharp = seed, sharp
        self.ids: list[int] = []
        self.reads = 0

    @property
    def length(self) -> int:
        return len(self.ids)

    def read(self, ids: Sequence[int]) -> Floats:
        self.reads += 1
        self.ids += ids
        return self.logits()

    def cut(self, length: int) -> None:
        del self.ids[length:]

    def logits(self) -> Floats:
        rng = np.random.default_rng([self._seed, *self.ids])
        return (self._sharp * rng.normal(size=VOCAB)).astype(np.float32)


def total(seed: int, ids: Sequence[int]) -> float:
    model = Chance(seed)
    logits, sum_ = model.read([5]), 0.0
    for token in ids:
        sum_ += float(log_softmax(logits)[token])
        logits = model.read([token])
    return sum_


def found(
    seed: int, options: Sequence[Sequence[int]], margin: float = 0.0
) -> tuple[tuple[Written, ...], Chance]:
    model = Chance(seed)
    first = model.read([5])
    return likeliest(model, first, options, margin=margin, spent=lambda: False), model


@given(st.integers(0, 500))
def test_the_likeliest_of_all_is_found_without_reading_them_all(seed: int) -> None:
    (best, *_), model = found(seed, OPTIONS)
    each = [total(seed, ids) for ids in OPTIONS]
    assert best.option == int(np.argmax(each))
    assert best.total == pytest.approx(max(each), abs=1e-4)
    assert best.mean == pytest.approx(max(each) / 3, abs=1e-4)
    assert model.reads <= 1 + 4 + 16


@given(st.integers(0, 500))
def test_all_that_are_about_as_likely_are_told_and_no_others(seed: int) -> None:
    written, _ = found(seed, OPTIONS, margin=2.0)
    each = np.array([total(seed, ids) for ids in OPTIONS])
    assert {w.option for w in written} == set(np.flatnonzero(each >= each.max() - 2.0).tolist())


@given(st.integers(0, 100))
def test_the_conversation_is_left_as_it_was(seed: int) -> None:
    _, model = found(seed, OPTIONS, margin=1.0)
    assert model.ids == [5]


def test_options_of_different_length_are_compared_as_wholes() -> None:
    options = [[0], [1, 2, 3], [1, 2, 2]]
    for seed in range(30):
        (best, *_), _ = found(seed, options)
        assert best.option == int(np.argmax([total(seed, ids) for ids in options]))


def test_when_the_time_is_over_nothing_is_found() -> None:
    model = Chance(1)
    first, asked = model.read([5]), iter([False, False, True])
    assert likeliest(model, first, OPTIONS, margin=0.0, spent=lambda: next(asked)) == ()
    assert model.ids == [5]
