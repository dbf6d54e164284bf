"""Token passing finds what brute force finds, and hears a stream as it hears the whole."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.language import alphabet
from services.language.calls import Call
from services.language.ctc_score import score_text, score_texts
from services.language.ctc_search import CtcSearch
from services.language.grammar import Grammar, compile_grammar
from services.language.grammar_layout import Meaning
from tests.support.homes import fifteen_devices

HOME = fifteen_devices()
GRAMMAR = compile_grammar(HOME)


def tiny_grammar() -> Grammar:
    """``a [bb] on``, ``a bb 1|2``: shared beginnings, an optional word, a doubled letter."""
    words = ("a", "bb", "on", "b", "c")
    arcs = [  # source, target, word, tag, log weight
        (0, 1, 0, -1, -0.1), (1, 2, 1, -1, -0.7), (1, 3, 2, -1, -0.9), (2, 3, 2, -1, -1.0),
        (2, 4, 3, 0, -0.5), (2, 4, 4, 1, -1.5),
    ]  # fmt: skip
    columns = [np.array([arc[k] for arc in arcs], np.int32) for k in range(4)]
    return Grammar(
        words, (("n", 1), ("n", 2)), (Meaning("On", ()), Meaning("Set", ())),
        columns[0], columns[1], columns[2], columns[3],
        np.array([arc[4] for arc in arcs], np.float32),
        np.array([3, 4], np.int32), np.array([0, 1], np.int32), np.zeros(2, np.float32), 5,
    )  # fmt: skip


def noise(frames: int, seed: int) -> np.ndarray:
    """Random rows, peaked on a few symbols so that doubled letters and ties matter."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, (frames, alphabet.SIZE))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def rows_saying(text: str, hold: int = 2, confidence: float = 0.9, silence: int = 0) -> np.ndarray:
    """Rows of a recogniser that is fairly sure of a text."""
    labels = [s for n in alphabet.encode(text) for s in (*[int(n)] * hold, alphabet.BLANK)]
    labels += [alphabet.BLANK] * silence
    rows = np.full((len(labels), alphabet.SIZE), (1 - confidence) / (alphabet.SIZE - 1))
    rows[np.arange(len(labels)), labels] = confidence
    return np.log(rows).astype(np.float32)


def alignments(text: str, frames: int):
    """Every CTC alignment of a text, by trying all symbol rows over its own letters."""
    own = sorted({alphabet.BLANK, *map(int, alphabet.encode(text))})
    for labels in itertools.product(own, repeat=frames):
        folded = [n for n, _ in itertools.groupby(labels) if n != alphabet.BLANK]
        if folded == list(alphabet.encode(text)):
            yield labels


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["a", "bb", "a b", "ab", "abb"]), st.integers(1, 6), st.integers(0, 999))
def test_a_score_is_the_sum_over_all_alignments(text, frames, seed):
    rows = noise(frames, seed)
    each = [sum(rows[t, n] for t, n in enumerate(a)) for a in alignments(text, frames)]
    if each:
        assert score_text(rows, text) == pytest.approx(np.logaddexp.reduce(each), abs=1e-4)
        assert score_texts(rows, [text], best_path=True)[0] == pytest.approx(max(each), abs=1e-4)
    else:
        assert score_text(rows, text) == -np.inf


def test_texts_scored_together_score_as_alone():
    rows, texts = noise(40, 3), ["turn on", "a", "see all lamps", "bb"]
    together = score_texts(rows, texts)
    assert together == pytest.approx([score_text(rows, t) for t in texts])


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 30), st.integers(0, 10**6))
def test_the_search_finds_what_brute_force_finds(frames, seed):
    grammar, rows = tiny_grammar(), noise(frames, seed)
    search = CtcSearch(grammar, prior_weight=0.7)
    search.advance(rows)
    expected = {}
    paths = {"a on": (0, 2), "a bb on": (0, 1, 3), "a bb b": (0, 1, 4), "a bb c": (0, 1, 5)}
    for text, path in paths.items():
        score = score_texts(rows, [text], best_path=True)[0]
        if score == -np.inf:
            continue
        assert grammar.text(path) == text
        call, total = grammar.said(path), score + 0.7 * grammar.prior(path)
        if call not in expected or total > expected[call][0]:
            expected[call] = (total, text)
    found = {c.call: (c.ctc_score + 0.7 * c.prior, c.text) for c in search.best(5)}
    assert set(found) == set(expected)
    for call, (total, text) in expected.items():
        assert found[call][0] == pytest.approx(total, abs=0.1)
        assert found[call][1] == text or abs(found[call][0] - total) < 0.1


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 10**6))
def test_streamed_in_any_chunks_is_the_whole(cuts, seed):
    rows = np.concatenate([rows_saying("turn on the bed light", confidence=0.5), noise(30, seed)])
    whole, streamed = CtcSearch(GRAMMAR), CtcSearch(GRAMMAR)
    whole.advance(rows)
    edges = [0, *itertools.accumulate(cuts), len(rows)]
    for start, end in itertools.pairwise(edges):
        streamed.advance(rows[start : max(start, end)])
    assert streamed.frames == whole.frames
    assert streamed.best(8) == whole.best(8)
    assert streamed.greedy_score == whole.greedy_score
    assert streamed.margin() == whole.margin()


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("turn on the bed light", Call.of("HassTurnOn", name="bed light")),
        ("turn all the lights off please", Call.of("HassTurnOff", domain="light")),
        ("set bed light to forty two percent",
         Call.of("HassLightSet", name="bed light", brightness=42)),
        ("set a timer for one hour and five minutes",
         Call.of("HassStartTimer", hours=1, minutes=5)),
    ],
)  # fmt: skip
def test_clear_speech_is_its_own_best_candidate(text, call):
    search = CtcSearch(GRAMMAR)
    search.advance(rows_saying(text))
    first = search.best(4)[0]
    assert (first.text, first.call) == (text, call)
    assert first.ctc_score == pytest.approx(search.greedy_score, abs=0.2)


def test_other_numbers_compete():
    search = CtcSearch(GRAMMAR)
    search.advance(rows_saying("set bed light to fifty percent", confidence=0.6))
    calls = [c.call.args.get("brightness") for c in search.best(8)]
    assert calls[0] == 50
    assert {5, 15} & set(calls)
    assert len({c.call for c in search.best(16)}) == 16


def test_a_sentence_is_complete_only_at_its_end():
    rows, search = rows_saying("turn on the bed light", silence=10), CtcSearch(GRAMMAR)
    assert not search.complete()
    search.advance(rows[: len(rows) // 2])
    assert not search.complete()
    search.advance(rows[len(rows) // 2 :])
    assert search.complete()
    search.reset()
    search.advance(rows_saying("turn on the", silence=10))
    assert not search.complete()


def test_speech_outside_the_grammar_is_far_from_the_free_reading():
    inside, outside = CtcSearch(GRAMMAR), CtcSearch(GRAMMAR)
    inside.advance(rows_saying("turn on the desk lamp"))
    outside.advance(rows_saying("my aunt bought a boat"))
    gaps = [(s.greedy_score - s.best(1)[0].ctc_score) / s.frames for s in (inside, outside)]
    assert gaps[0] < 0.05 < 0.5 < gaps[1]


@pytest.mark.parametrize("rows", [np.zeros((3, 28)), np.zeros(29), np.zeros((4000, 29))])
def test_rows_of_another_shape_are_refused(rows):
    with pytest.raises(ValueError, match=r"log probabilities|utterance"):
        CtcSearch(GRAMMAR).advance(rows)


def test_one_frame_takes_about_a_millisecond_at_most():
    search = CtcSearch(GRAMMAR)
    search.advance(noise(20, 1))
    start = time.process_time()
    search.advance(noise(200, 2))
    each = (time.process_time() - start) / 200
    print(f"{1e3 * each:.3f} ms for one frame of {len(GRAMMAR.word)} arcs")
    assert each < 2e-3  # 0.3 ms on one x86 core
