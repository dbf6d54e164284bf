"""Reading aloud: the words are given, the sound is judged, and slips are read but never learnt."""

from __future__ import annotations

import random

import numpy as np
import pytest

from model_export.training.codes import Utterance
from model_export.training.lm import pad
from model_export.training.sequences import Example, SpokenReply, reading_aloud
from services.language.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of({bytes([n]): n for n in range(256)}, codes=64)
REPLY = SpokenReply("the lamp is on", np.arange(40, dtype=np.int16))
HEARD = Utterance(np.array([5, 6], np.int16), "lamp on", None)


def read_aloud(slips: float) -> Example:
    return reading_aloud(VOCABULARY, REPLY, HEARD, random.Random(1), slips)


@pytest.mark.parametrize("slips", [0.0, 0.5])
def test_the_sound_is_judged_as_it_was_spoken_whatever_is_read(slips: float) -> None:
    example = read_aloud(slips)
    codes = example.ids[example.judged][:-1] - VOCABULARY.first_code
    assert codes.tolist() == list(range(40))
    assert example.ids[example.judged][-1] == VOCABULARY.tag("<|user|>")


def test_about_the_wanted_share_of_codes_is_read_wrongly_and_nothing_else() -> None:
    example = read_aloud(0.5)
    assert example.read is not None
    other = example.read != example.ids
    assert 10 < other.sum() < 30
    assert not other[~example.judged].any()
    assert (example.read[other] >= VOCABULARY.first_code).all()


def test_a_batch_keeps_what_is_read_apart_from_what_is_predicted() -> None:
    slipped, plain = read_aloud(0.5), Example(np.array([1, 2]), np.array([False, True]))
    ids, read, judged = pad([slipped, plain])
    assert ids[0].tolist() == slipped.ids.tolist()
    assert slipped.read is not None
    assert read[0].tolist() == slipped.read.tolist()
    assert read[1].tolist() == ids[1].tolist()
    assert judged[1].sum() == 1
