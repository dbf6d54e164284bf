"""Letter rules come near the dictionary, and every word has some pronunciation."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.pronounce import compound, pronounce

PHONES = {
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH",
    "UW", "V", "W", "Y", "Z", "ZH",
}  # fmt: skip


def dictionary() -> dict[str, tuple[str, ...]]:
    sphinx = pytest.importorskip("pocketsphinx")
    words = {}
    with open(sphinx.get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as lines:
        for word, *phones in map(str.split, lines):
            if re.fullmatch(r"[a-z']{3,}", word):
                words[word] = tuple(phones)
    return words


def edits(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        new = [i + 1]
        for j, y in enumerate(b):
            new.append(min(row[j] + (x != y), row[j + 1] + 1, new[j] + 1))
        row = new
    return row[-1]


def test_three_phones_in_four_are_those_of_the_dictionary():
    words = dictionary()
    drawn = random.Random(0).sample(sorted(words), 3000)
    wrong = sum(edits(pronounce(word), words[word]) for word in drawn)
    rate = wrong / sum(len(words[word]) for word in drawn)
    print(f"phone error rate {rate:.1%}")
    assert rate < 0.25  # 22.8 % over 5000 words


@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=20))
def test_any_word_has_known_phones(word):
    phones = pronounce(word)
    assert phones
    assert set(phones) <= PHONES


@pytest.mark.parametrize(
    ("word", "phones"),
    [("alexa", "AH L EH K S AH"), ("kitchen", "K IH CH AH N"), ("zigbee", "Z IH G B IY")],
)
def test_names_sound_as_they_should(word, phones):
    assert " ".join(pronounce(word)) == phones


def test_a_compound_sounds_like_its_parts():
    parts = {"eco": ("EH", "K", "OW"), "bee": ("B", "IY")}
    assert compound("ecobee", parts.get) == ("EH", "K", "OW", "B", "IY")
    assert compound("zzyx", parts.get) == pronounce("zzyx")
