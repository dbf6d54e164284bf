"""The turn format is GLM-4-Voice's; ids go in and come back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language import prompt
from services.language.calls import Call
from services.language.outcome import DeviceResult, Outcome
from services.language.vocabulary import SPECIALS, Vocabulary

RANKS = {bytes([b]): b for b in range(256)} | {b"tu": 256, b"tur": 257, b"turn": 258}
VOCABULARY = Vocabulary.of(RANKS, codes=16)


def shown(ids: list[int]) -> str:
    """Ids as one reads them: text, tags, and codes as <n>."""
    v = VOCABULARY
    out = ""
    for token in ids:
        out += f"<{token - v.first_code}>" if v.is_audio(token) else v.text.decode([token])
    return out


def test_a_command_turn_reads_as_the_format_says() -> None:
    call = Call.of("HassTurnOn", name="bed light")
    result = DeviceResult("light.bed", "bed light", "confirmed", "on")
    ids = (
        prompt.user_speech(VOCABULARY, [3, 1])
        + prompt.transcript(VOCABULARY, "turn on the bed light")
        + prompt.call(VOCABULARY, call)
        + prompt.observation(VOCABULARY, Outcome(call, (result,)))
        + prompt.reply_open(VOCABULARY)
    )
    assert shown(ids) == (
        "[gMASK]<sop><|user|>\n<|begin_of_audio|><3><1><|end_of_audio|>"
        "<|assistant|>transcript\nturn on the bed light"
        '<|assistant|>HassTurnOn\n{"name":"bed light"}'
        "<|observation|>\nbed light confirmed on"
        "<|assistant|>streaming_transcription\n"
    )


def test_an_observation_is_bounded_however_large_the_home() -> None:
    results = tuple(DeviceResult(f"light.{n}", f"lamp {n}", "timeout") for n in range(1000))
    assert len(prompt.observed(Outcome(Call("HassTurnOff"), results))) < 100


@given(st.text(max_size=40))
def test_any_text_comes_back_from_its_ids(text: str) -> None:
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == text


def test_a_tag_inside_a_text_is_only_characters() -> None:
    ids = VOCABULARY.encode("<|user|>")
    assert VOCABULARY.tag("<|user|>") not in ids


def test_ids_do_not_overlap() -> None:
    tags = {VOCABULARY.tag(name) for name in SPECIALS}
    codes = set(VOCABULARY.audio(range(16)))
    assert len(tags) == len(SPECIALS)
    assert not tags & codes
    assert max(codes) < VOCABULARY.size
    assert VOCABULARY.size % 64 == 0


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(100, 109), max_size=60))
def test_interleaving_loses_and_reorders_nothing(text: list[int], audio: list[int]) -> None:
    mixed = list(prompt.interleave(text, audio))
    assert [i for i in mixed if i < 100] == text
    assert [i for i in mixed if i >= 100] == audio


@pytest.mark.parametrize("content", ["nonsense\n", "YQ== x\n", "!!! 3\n"])
def test_a_broken_vocabulary_file_is_named_with_its_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ranks.tiktoken"
    path.write_text("YQ== 0\n" + content)
    with pytest.raises(ValueError, match=r"ranks.tiktoken:2: expected"):
        Vocabulary.load(path, 16)
