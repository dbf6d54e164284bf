"""The published folders of GLM-4-Voice at any width, random weights: for tests and measures."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from model_export.checkpoints.ranks import SPECIALS, TEXT_RANKS
from model_export.checkpoints.synthetic import write_random_shards
from model_export.families.glm_4_voice.files import DecoderSizes, WhisperConfig
from model_export.families.glm_4_voice.flow import Flow
from model_export.families.glm_4_voice.hift import Hift
from model_export.families.glm_4_voice.lm import PublishedConfig
from model_export.families.glm_4_voice.lm_checkpoint import published_layout
from model_export.families.glm_4_voice.published import tokenizer_shapes


@dataclass(frozen=True)
class Folders:
    """What ``linnet export glm-4-voice`` is given."""

    tokenizer: Path
    lm: Path
    decoder: Path


def write_folders(
    root: Path, hearing: WhisperConfig, lm: PublishedConfig, sizes: DecoderSizes, shards: int = 4
) -> Folders:
    """All three, as publishers write them; the vocabulary is as large as the published one."""
    folders = Folders(root / "tokenizer", root / "lm", root / "decoder")
    torch.manual_seed(0)
    write_random_shards(folders.tokenizer, tokenizer_shapes(hearing.tokenizer()), 1)
    (folders.tokenizer / "config.json").write_text(hearing.model_dump_json())
    cfg = lm.glm()
    layout = published_layout(cfg) | {"transformer.rotary_pos_emb.inv_freq": (cfg.rotary // 2,)}
    write_random_shards(folders.lm, layout, shards)
    (folders.lm / "config.json").write_text(lm.model_dump_json())
    for folder in (folders.lm, folders.tokenizer):
        (folder / "LICENSE").write_text("The licence of the weights.\n")
    write_vocabulary(folders.lm)
    folders.decoder.mkdir()
    torch.save(Flow(sizes.flow).state_dict(), folders.decoder / "flow.pt")
    torch.save(Hift(sizes.hift).state_dict(), folders.decoder / "hift.pt")
    return folders


def write_vocabulary(folder: Path, **changes: int) -> None:
    """``tokenizer.model`` and ``tokenizer_config.json``; ``changes`` move special tokens.

    The pieces are the 256 bytes, of which any text is made, and others that no text has.
    """
    lines = (
        base64.b64encode(number.to_bytes(1 if number < 256 else 3, "big")).decode() + f" {number}"
        for number in range(TEXT_RANKS)
    )
    (folder / "tokenizer.model").write_text("\n".join(lines))
    listed = {str(number): {"content": tag} for tag, number in (SPECIALS | changes).items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": listed}))
