"""Typed training lines: hasty, seeded, and judged only where the model has to write."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_export.training.codes import Utterance
from model_export.training.haste import no_command, slip, typed
from model_export.training.sequences import Example, examples, typed_lines, typing
from model_export.training.text import Line
from services.language.calls import Call
from services.language.held_out import held_out
from services.language.spoken import number_words, spoken
from services.language.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of({bytes([n]): n for n in range(256)}, codes=8)
"""Every byte is a piece: ids can be read."""
LAMP = Line("lamp on plz", Call.of("HassTurnOn", name="bed light"))
TALK = ["what a lovely day", "my shoes are wet"]


def judged(example: Example) -> str:
    """What is judged, as text; role tags are left out."""
    return VOCABULARY.decode([int(i) for i in example.ids[example.judged]])


def test_a_typed_command_is_answered_by_its_call() -> None:
    example = typing(VOCABULARY, LAMP)
    assert judged(example) == 'HassTurnOn\n{"name":"bed light"}'
    assert example.ids[-1] == VOCABULARY.tag("<|observation|>")
    assert example.judged[-1]


def test_typed_talk_is_answered_by_the_opening_of_a_reply() -> None:
    example = typing(VOCABULARY, Line("nice lamp", None))
    assert judged(example) == "streaming_transcription\n"


def test_the_line_itself_is_read_and_never_judged() -> None:
    example = typing(VOCABULARY, LAMP)
    read = VOCABULARY.decode([int(i) for i in example.ids[~example.judged]])
    assert read == "\nlamp on plz"


def test_the_same_seed_types_the_same_lines() -> None:
    def drawn(seed: int) -> list[Line]:
        return list(islice(typed_lines(TALK, random.Random(seed)), 50))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_typed_line_is_in_spoken_form_and_no_held_out_call_is_among_them() -> None:
    for line in islice(typed_lines(TALK, random.Random(3)), 2_000):
        assert line.text == spoken(line.text)
        assert line.text
        assert line.call is None or not held_out(line.call)


def test_a_third_of_typed_lines_calls_nothing() -> None:
    lines = list(islice(typed_lines(TALK, random.Random(4)), 2_000))
    assert 0.25 < sum(line.call is None for line in lines) / len(lines) < 0.45


def test_numbers_survive_haste() -> None:
    rng = random.Random(5)
    for n in range(101):
        hasty = typed(rng, f"set the kitchen light to {number_words(n)} percent").split()
        at = [i for i, word in enumerate(hasty) if word == number_words(n).split()[0]]
        assert at
        assert hasty[at[0] : at[0] + len(number_words(n).split())] == number_words(n).split()


def test_on_never_becomes_off() -> None:
    rng = random.Random(6)
    for _ in range(500):
        assert not {"off", "of", "offf"} & set(typed(rng, "turn on bed lamp").split())


def test_a_command_that_must_not_be_obeyed_has_more_words_than_one_that_must() -> None:
    rng = random.Random(7)
    for _ in range(200):
        said = no_command(rng, "turn on the lamp", "open the blinds")
        assert "turn on the lamp" in said
        assert len(said.split()) > 4


@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=3, max_size=12), st.integers(0, 999))
def test_a_slip_loses_one_letter_at_most_and_gains_one_at_most(word: str, seed: int) -> None:
    slipped = slip(random.Random(seed), word)
    before, after = Counter(word), Counter(slipped)
    assert sum((before - after).values()) <= 1
    assert sum((after - before).values()) <= 1


@pytest.mark.parametrize("share", [0.0, 0.12, 1.0])
def test_so_many_examples_are_typed(share: float) -> None:
    codes = np.zeros(4, np.int16)
    call = json.dumps({"name": "HassTurnOn", "arguments": {"name": "lamp"}})
    said = [Utterance(codes, "turn on the lamp", call), Utterance(codes, "nice shoes", None)]
    spoken_replies = {"the lamp is on": codes}
    source = examples(VOCABULARY, said, spoken_replies, [], random.Random(8), typed_share=share)
    drawn = list(islice(source, 600))
    heard = VOCABULARY.tag("<|begin_of_audio|>")
    count = sum(heard not in example.ids for example in drawn)
    assert abs(count / len(drawn) - share) < 0.05


def test_the_tables_hold_no_form_the_model_never_reads() -> None:
    path = Path(typed.__code__.co_filename).with_name("haste.json")
    tables = json.loads(path.read_text("utf-8"))
    for key in ("before", "after", "not_before", "not_after"):
        assert all(text == spoken(text) for text in tables[key])
