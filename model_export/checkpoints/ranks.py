"""GLM-4's vocabulary from its plain files: tiktoken ranks and ids of special tokens.

The published tokenizer class is code that would be fetched and run; nothing of it is needed. The
ranks are lines of ``base64 rank``; ``tokenizer_config.json`` lists the special tokens with their
ids, which are checked against the layout that the model was trained with.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

from model_export.checkpoints.errors import CheckpointError

MAX_BYTES = 16 << 20
TEXT_RANKS = 151_329
SPECIALS = {
    "<|endoftext|>": 151_329, "[MASK]": 151_330, "[gMASK]": 151_331, "[sMASK]": 151_332,
    "<sop>": 151_333, "<eop>": 151_334, "<|system|>": 151_335, "<|user|>": 151_336,
    "<|assistant|>": 151_337, "<|observation|>": 151_338, "<|begin_of_audio|>": 151_343,
    "<|end_of_audio|>": 151_344, "<|audio_0|>": 152_353, "<|audio_16383|>": 168_736,
}  # fmt: skip
"""What the prompt, the end of a turn and the speech decoder rely on."""


def read_ranks(path: Path) -> dict[bytes, int]:
    """Pieces of text by rank.

    Raises:
        CheckpointError: too large, a line that is not ``base64 rank``, a piece or rank twice, or
            ranks with gaps.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(_bounded(path).splitlines(), 1):
        try:
            piece, rank = line.split()
            ranks[base64.b64decode(piece, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise CheckpointError(f"{path}:{number}: expected 'base64 rank'") from error
        if len(ranks) != number:
            raise CheckpointError(f"{path}:{number}: a piece stands there twice")
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise CheckpointError(f"{path}: its {len(ranks)} ranks are not 0, 1, 2 and so on")
    return ranks


def check_vocabulary(folder: Path) -> int:
    """Check ``tokenizer.model`` and the special tokens of ``tokenizer_config.json`` in ``folder``.

    Returns:
        How many special tokens were checked.

    Raises:
        CheckpointError: with every id that is not what the model was trained with.
    """
    ranks = read_ranks(folder / "tokenizer.model")
    config = folder / "tokenizer_config.json"
    if len(ranks) != TEXT_RANKS:
        raise CheckpointError(
            f"{folder / 'tokenizer.model'}: has {len(ranks)} ranks, not {TEXT_RANKS}"
        )
    try:
        listed = json.loads(_bounded(config)).get("added_tokens_decoder", {})
        found = {entry["content"]: int(number) for number, entry in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{config}: does not list added_tokens_decoder") from error
    wrong = [
        f"{tag} is {found.get(tag, 'missing')}, not {number}"
        for tag, number in SPECIALS.items()
        if found.get(tag) != number
    ]
    if wrong:
        raise CheckpointError(f"{config}: {len(wrong)} special tokens differ: {'; '.join(wrong)}")
    return len(SPECIALS)


def _bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"{path}: is larger than {MAX_BYTES} bytes")
    return data
