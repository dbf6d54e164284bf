"""The turn format of GLM-4-Voice, as ids; nothing stands between the pieces but what is shown.

    [gMASK]<sop><|system|>⏎{system}<|user|>⏎<|begin_of_audio|>…codes…<|end_of_audio|>
    <|assistant|>streaming_transcription⏎ text, codes, text, codes … <|user|>⏎ …

The system turn comes once. A reply has no marks of audio in it and ends where the next user turn
begins; that last id belongs to the next turn. Calls have GLM-4's own form: the function's name in
the place behind ``<|assistant|>``, its arguments as JSON, its outcome as ``<|observation|>``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.language.calls import Call
from services.language.outcome import Outcome
from services.language.prompt import observed
from services.language.vocabulary import Vocabulary

_SYSTEM = (
    "User will provide you with a {} instruction. Do it step by step. First, think about the "
    "instruction and respond in a interleaved manner, with 13 text token followed by 26 audio "
    "tokens."
)
# Published strings, to the letter: the model was trained with them, and one ends in a space.
SYSTEM_SPEECH = _SYSTEM.format("speech") + " "
SYSTEM_TEXT = _SYSTEM.format("text")
SPEAK = "streaming_transcription\n"
"""What makes the turn a spoken reply."""


def opening(v: Vocabulary, system: str = SYSTEM_SPEECH) -> list[int]:
    """The conversation's first ids."""
    head = [v.tag("[gMASK]"), v.tag("<sop>"), v.tag("<|system|>")]
    return head + v.encode(f"\n{system}")


def user_open(v: Vocabulary) -> list[int]:
    """What comes before the codes of what is said."""
    return [v.tag("<|user|>"), *v.encode("\n"), v.tag("<|begin_of_audio|>")]


def user_close(v: Vocabulary) -> list[int]:
    return [v.tag("<|end_of_audio|>")]


def user_speech(v: Vocabulary, codes: Sequence[int]) -> list[int]:
    """The user's turn, spoken."""
    return [*user_open(v), *v.audio(codes), *user_close(v)]


def user_text(v: Vocabulary, text: str) -> list[int]:
    """The user's turn, typed; a role tag inside it is read as plain characters."""
    return [v.tag("<|user|>"), *v.encode(f"\n{text}")]


def assistant(v: Vocabulary) -> list[int]:
    """The start of a turn of the model: a call's name or ``SPEAK`` follows."""
    return [v.tag("<|assistant|>")]


def call_text(wanted: Call) -> str:
    """A call, as it stands behind ``<|assistant|>``."""
    arguments = json.dumps(wanted.args, separators=(",", ":"), ensure_ascii=False)
    return f"{wanted.name}\n{arguments}"


def reply_open(v: Vocabulary) -> list[int]:
    return assistant(v) + v.encode(SPEAK)


def observation(v: Vocabulary, outcome: Outcome) -> list[int]:
    return [v.tag("<|observation|>"), *v.encode("\n" + observed(outcome))]
