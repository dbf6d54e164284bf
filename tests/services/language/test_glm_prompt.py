"""GLM-4-Voice's turns, ids and choice of tokens: what may be said, and what never."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language import glm_prompt as prompt
from services.language.calls import Call
from services.language.glm_vocabulary import ENDS, PLACES, SPECIALS, GlmVocabulary
from services.language.sampling import Sampler, Sampling

CODES = 64
TINY = GlmVocabulary.of({bytes([n]): n for n in range(256)}, CODES)
WIDTH = 256 + PLACES + CODES + 56  # rows of padding behind the last code
PUBLISHED_RANKS = 151_329


def published() -> GlmVocabulary:
    """As many ranks as were published; what is in them does not matter here."""
    ranks = {bytes([n]): n for n in range(256)}
    for n in range(256, PUBLISHED_RANKS):
        ranks[b"\xff\xff" + n.to_bytes(4, "big")] = n
    return GlmVocabulary.of(ranks, 16_384)


def test_the_published_ids_stand_at_their_published_places() -> None:
    v = published()
    names = ["<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"]
    names += ["<|observation|>", "<|begin_of_audio|>", "<|end_of_audio|>"]
    wanted = [151329, 151331, 151333, 151335, 151336, 151337, 151338, 151343, 151344]
    assert [v.tag(name) for name in names] == wanted
    assert v.audio([0, 16_383]) == [152_353, 168_736]
    allowed = v.sayable(168_960, text=True, audio=True, end=True)
    assert not allowed[168_737:].any()
    assert not allowed[151_343:152_353].any()
    assert prompt.opening(v)[:3] == [151331, 151333, 151335]


@pytest.mark.parametrize(
    ("text", "length", "digest"),
    [
        (
            prompt.SYSTEM_SPEECH,
            189,
            "1b1ba6d4f8b8a68a774e59613e561c7f64b3f50ae77f9764207bbf4d1f31e2a6",
        ),
        (
            prompt.SYSTEM_TEXT,
            186,
            "bd79ef472c288918b9d0255d266482e36f822c3d29c1cbc574d79fef50fd395e",
        ),
    ],
)
def test_the_system_turns_are_those_of_training(text: str, length: int, digest: str) -> None:
    assert len(text) == length
    assert sha256(text.encode()).hexdigest() == digest


def test_speech_stands_between_its_marks_and_the_reply_has_none() -> None:
    v = TINY
    ids = prompt.opening(v) + prompt.user_speech(v, [3, 1]) + prompt.reply_open(v)
    spoken = [v.tag("<|begin_of_audio|>"), v.first_code + 3, v.first_code + 1]
    at = ids.index(spoken[0])
    assert ids[at - 2 : at + 4] == [
        v.tag("<|user|>"), *v.encode("\n"), *spoken, v.tag("<|end_of_audio|>"),
    ]  # fmt: skip
    assert ids[at + 4 :] == [v.tag("<|assistant|>"), *v.encode("streaming_transcription\n")]
    assert v.decode(prompt.reply_open(v)) == "streaming_transcription\n"


def test_a_role_tag_that_is_typed_is_only_characters() -> None:
    ids = prompt.user_text(TINY, "<|system|>")
    assert TINY.tag("<|system|>") not in ids
    assert TINY.decode(ids) == "\n<|system|>"


def test_a_call_is_a_name_and_arguments() -> None:
    assert prompt.call_text(Call.of("HassTurnOn", name="bed light")) == (
        'HassTurnOn\n{"name":"bed light"}'
    )


def test_too_few_logits_are_refused() -> None:
    with pytest.raises(ValueError, match="100 logits"):
        TINY.sayable(100, text=True, audio=True, end=True)


@given(
    seed=st.integers(0, 2**32),
    temperature=st.sampled_from([0.0, 0.2, 1.0, 5.0]),
    top_p=st.floats(0.01, 1.0),
    top_k=st.integers(0, 50),
    kinds=st.tuples(st.booleans(), st.booleans()),
)
def test_what_means_nothing_is_never_drawn(
    seed: int, temperature: float, top_p: float, top_k: int, kinds: tuple[bool, bool]
) -> None:
    logits = np.full(WIDTH, 50.0, np.float32)  # what is not allowed is by far the likeliest
    allowed = TINY.sayable(WIDTH, text=kinds[0], audio=kinds[1], end=True)
    rng = np.random.default_rng(seed)
    logits[allowed] = rng.standard_normal(int(allowed.sum()))
    sampler = Sampler(Sampling(temperature, top_p, top_k), seed)
    ends = {TINY.tag(name) for name in ENDS}
    for _ in range(5):
        token = sampler.draw(logits, allowed)
        text, audio = token < TINY.text_ids, TINY.is_audio(token)
        assert (text and kinds[0]) or (audio and kinds[1]) or token in ends


def test_the_same_seed_draws_the_same_and_zero_draws_the_likeliest() -> None:
    logits = np.random.default_rng(1).standard_normal(WIDTH).astype(np.float32)
    allowed = np.ones(WIDTH, np.bool_)
    free = Sampling(temperature=2.0, top_p=1.0)
    first, second = Sampler(free, 5), Sampler(free, 5)
    drawn = [first.draw(logits, allowed) for _ in range(20)]
    assert drawn == [second.draw(logits, allowed) for _ in range(20)]
    assert len(set(drawn)) > 5
    likeliest = int(logits.argmax())
    assert Sampler(Sampling(temperature=0), 1).draw(logits, allowed) == likeliest
    assert Sampler(Sampling(2.0, 1.0, top_k=1), 1).draw(logits, allowed) == likeliest
    assert Sampler(Sampling(1.0, 1e-6), 1).draw(logits, allowed) == likeliest


def test_top_p_keeps_the_fewest_that_reach_the_share() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.7), 3)
    drawn = {sampler.draw(logits, np.ones(4, np.bool_)) for _ in range(200)}
    assert drawn == {0, 1}


def test_nothing_allowed_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ValueError, match="no token is allowed"):
        Sampler(Sampling(), 1).draw(np.zeros(4, np.float32), np.zeros(4, np.bool_))


def test_no_two_special_tokens_share_a_place() -> None:
    assert len(set(SPECIALS.values())) == len(SPECIALS)
    assert max(SPECIALS.values()) < PLACES
