"""Least, usual and greatest sizes of each graph's open dims: what the session feeds, and no more.

TensorRT sets aside scratch memory for the greatest, used or not, so a greatest that is never fed
costs a Jetson memory. ``tests/services/voice/test_glm_profiles.py`` feeds them all.
"""

from __future__ import annotations

from collections.abc import Mapping

from device.speech.glm_frames import BLOCK, FRAMES, HELD, REPLY, TOKENS, frames_of
from device.speech.glm_speaking import MOST
from device.speech.glm_tokenizer import BLOCK_MELS, POSITIONS, TOKEN_MELS
from device.speech.glm_vocoder import REACH
from model_export.workplace import Profile

_POOLED = BLOCK_MELS // 2  # positions of a block: the second convolution halves its frames
_LAST_BLOCK = (POSITIONS - 1) // _POOLED * _POOLED  # where a piece's last block begins
_FIRST = frames_of(1)
# The last block, those held back before it, and what they hang on.
_SOUND = frames_of(MOST) + 1 + HELD + REACH
_SCORED = 16  # ids of a reply's first run of text (13), which are judged at once

PROFILES: Mapping[str, Profile] = {
    "tokenizer": {
        "M": (TOKEN_MELS, BLOCK_MELS, BLOCK_MELS),
        "T": (TOKEN_MELS // 2, _POOLED, _POOLED),
        "P": (0, 3 * _POOLED, _LAST_BLOCK),
    },
    "flow_encoder": {
        "T": (1, BLOCK, BLOCK),
        "P": (0, 6 * BLOCK, (REPLY - 1) // BLOCK * BLOCK),
    },
    "flow_regulator": {"N": (1, TOKENS, TOKENS), "F": (_FIRST, FRAMES, FRAMES)},
    "flow_estimator": {"F": (_FIRST, FRAMES, FRAMES)},
    "hift_pitch": {"T": (_FIRST, 104, _SOUND)},
    "hift_decode": {"T": (_FIRST, 104, _SOUND)},
}


def lm_profile(max_len: int) -> Profile:
    """Of the language model with so many positions; decoding is the usual."""
    last = max_len - 1
    return {"T": (1, 1, min(64, last)), "P": (0, min(512, last), last), "R": (1, 1, _SCORED)}
