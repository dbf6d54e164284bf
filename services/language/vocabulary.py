"""Token ids of a speech language model: text ranks, role tags, audio codes, in GLM-4's order.

Text is byte-level BPE in tiktoken's own form (base64 piece and rank), as GLM-4's tokenizer.model;
role tags and audio codes follow. ``linnet_mini`` has its own small ranks; the layout, the tags and
the turn format are GLM-4-Voice's (THUDM, arXiv:2412.02612).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tiktoken

SPECIALS = (
    "<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
    "<|observation|>", "<|begin_of_audio|>", "<|end_of_audio|>",
)  # fmt: skip
_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
_MAX_RANKS_BYTES = 8 << 20
_ROUND = 64  # the head's width is a multiple of this
_V = TypeVar("_V", bound="Vocabulary")


@dataclass(frozen=True)
class Vocabulary:
    """Text pieces, role tags and audio codes with one id space."""

    text: tiktoken.Encoding
    codes: int
    """Number of audio codes."""

    @classmethod
    def load(cls: type[_V], path: Path, codes: int) -> _V:
        """Read a tiktoken ranks file.

        Raises:
            ValueError: the file is too large or a line of it is not ``base64 rank``.
        """
        if path.stat().st_size > _MAX_RANKS_BYTES:
            raise ValueError(f"{path}: larger than {_MAX_RANKS_BYTES} bytes, no vocabulary")
        ranks: dict[bytes, int] = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                piece, rank = line.split()
                ranks[base64.b64decode(piece, validate=True)] = int(rank)
            except (ValueError, binascii.Error) as error:
                raise ValueError(f"{path}:{number}: expected 'base64 rank'") from error
        return cls.of(ranks, codes)

    @classmethod
    def of(cls: type[_V], ranks: dict[bytes, int], codes: int) -> _V:
        special = {tag: len(ranks) + n for n, tag in enumerate(SPECIALS)}
        encoding = tiktoken.Encoding(
            "linnet", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens=special
        )
        return cls(encoding, codes)

    @property
    def first_code(self) -> int:
        """Id of audio code 0; code i is ``first_code + i``."""
        return int(self.text.n_vocab)

    @property
    def size(self) -> int:
        """Rows of the embedding and of the head, padded."""
        used = self.first_code + self.codes
        return used + -used % _ROUND

    def tag(self, name: str) -> int:
        return int(self.text.encode_single_token(name))

    def encode(self, text: str) -> list[int]:
        """Ordinary text; a role tag inside it is read as plain characters."""
        return self.text.encode_ordinary(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text ids back to text; audio ids and tags are left out."""
        text = [i for i in ids if i < self.first_code - len(SPECIALS)]
        return str(self.text.decode(text))

    def is_audio(self, token: int) -> bool:
        return self.first_code <= token < self.first_code + self.codes

    def audio(self, codes: Sequence[int]) -> list[int]:
        return [self.first_code + int(c) for c in codes]
