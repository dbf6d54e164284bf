"""Token ids of GLM-4-Voice: text ranks, 1,024 places for special tokens, then the audio codes.

The published ranks are 151,329, so ``<|user|>`` is 151336 and ``<|audio_0|>`` 152353; a bundle with
fewer ranks has the same order. Most of the 1,024 places, and rows beyond the last code, mean
nothing: a model must never say one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tiktoken

from services.language.vocabulary import Vocabulary

PLACES = 1_024
"""Ids between the text and the first code."""
SPECIALS = {
    "<|endoftext|>": 0, "[MASK]": 1, "[gMASK]": 2, "[sMASK]": 3, "<sop>": 4, "<eop>": 5,
    "<|system|>": 6, "<|user|>": 7, "<|assistant|>": 8, "<|observation|>": 9,
    "<|begin_of_audio|>": 14, "<|end_of_audio|>": 15,
}  # fmt: skip
"""Places of those in use; pictures and films have the four between."""
ENDS = ("<|endoftext|>", "<|user|>", "<|observation|>")
"""Any of them ends what the model says."""
# The published way of cutting text before pieces are looked up (that of cl100k, GLM-4).
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_V = TypeVar("_V", bound="GlmVocabulary")


class GlmVocabulary(Vocabulary):
    """The same as ``Vocabulary``, at the published places."""

    @classmethod
    def of(cls: type[_V], ranks: dict[bytes, int], codes: int) -> _V:
        special = {tag: len(ranks) + place for tag, place in SPECIALS.items()}
        encoding = tiktoken.Encoding(
            "glm-4-voice", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens=special
        )
        return cls(encoding, codes)

    @property
    def text_ids(self) -> int:
        """Ids 0 … ``text_ids`` - 1 are text."""
        return self.tag("<|endoftext|>")

    @property
    def first_code(self) -> int:
        return self.text_ids + PLACES

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.text.decode([i for i in ids if i < self.text_ids]))

    def ends(self) -> frozenset[int]:
        """Ids that end a turn."""
        return frozenset(self.tag(name) for name in ENDS)

    def sayable(self, width: int, *, text: bool, audio: bool, end: bool) -> npt.NDArray[np.bool_]:
        """bool[width]: the ids of these kinds; special places and rows of padding never.

        Args:
            width: of the logits.

        Raises:
            ValueError: there are fewer logits than ids.
        """
        if width < self.first_code + self.codes:
            raise ValueError(f"{width} logits for {self.first_code + self.codes} ids")
        out = np.zeros(width, np.bool_)
        out[: self.text_ids] = text
        out[self.first_code : self.first_code + self.codes] = audio
        out[list(self.ends())] = end
        return out
