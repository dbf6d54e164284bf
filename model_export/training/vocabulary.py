"""Make the text ranks of ``linnet_mini``: byte-level BPE over the sentences, calls and replies.

``python -m model_export.training.vocabulary --out .training/ranks.tiktoken``. The library
``tokenizers`` learns the merges; they are written in tiktoken's form, which the box reads.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from model_export.training.text import invented_home, lines
from services.language.outcome_sample import corpus
from services.language.prompt import observed
from services.language.replies import replies
from services.language.vocabulary import _SPLIT

RANKS = 768


def texts(rng: random.Random, other: Path | None, count: int) -> Iterator[str]:
    """Everything the model will read or write, in about its own proportions."""
    for line in islice(lines(rng, other, 0.15), count):
        yield line.text
        if line.call is not None:
            yield f"{line.call.name}\n" + json.dumps(line.call.args, separators=(",", ":"))
    for _ in range(count // 2):
        outcome = corpus(rng, invented_home(rng))
        yield "\n" + observed(outcome)
        yield from replies(outcome)[:1]
    yield from ("transcript\n", "streaming_transcription\n") * (count // 4)


def learn(sentences: Iterator[str], size: int = RANKS) -> dict[bytes, int]:
    """Ranks of byte pieces, bytes first, then merges in the order they were learnt."""
    model = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    model.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, max_token_length=12
    )
    model.train_from_iterator(sentences, trainer)
    pieces = sorted(model.get_vocab().items(), key=lambda item: item[1])
    to_byte = _byte_of_symbol()
    raw = [bytes(to_byte[c] for c in piece) for piece, _ in pieces]
    singles = [bytes([b]) for b in range(256)]
    merged = [piece for piece in raw if len(piece) > 1]
    return {piece: rank for rank, piece in enumerate(singles + merged)}


def _byte_of_symbol() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes, inverted."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(b): b for b in plain}
    for n, b in enumerate(b for b in range(256) if b not in plain):
        table[chr(256 + n)] = b
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".training/ranks.tiktoken"))
    parser.add_argument("--other", type=Path, default=Path("../shared/text"))
    args = parser.parse_args()
    ranks = learn(texts(random.Random(7), args.other, 20_000))
    rows = [f"{base64.b64encode(piece).decode()} {rank}" for piece, rank in ranks.items()]
    args.out.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
