"""Speech to codes with the frozen tokenizer: what the language model and the decoder train on.

``python -m model_export.training.codes commands`` encodes the synthetic corpus, each utterance a
few times under other augmentation; ``… replies --voice DIR`` encodes the reply voice as it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from device.sound.mel import log_mel
from model_export.families.linnet_mini.tokenizer import Tokenizer
from model_export.training.augment import Scenery, augment
from model_export.training.corpus import read_shard, shard_names
from model_export.training.reply_voice import read_wav
from model_export.training.tokenizer import load_tokenizer
from services.language.held_out import held_out_talk

Codes = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
BLOCK_MELS, CODE_MELS = 32, 8


@dataclass(frozen=True)
class Utterance:
    """One encoded utterance."""

    codes: Codes
    text: str
    call: str | None


@torch.no_grad()
def encode_many(model: Tokenizer, pcms: list[Floats]) -> list[Codes]:
    """float32[n] each → int16 codes[n / 1280], fresh state each, the last block padded."""
    mels = [log_mel(pcm) for pcm in pcms]
    longest = max(len(m) for m in mels)
    longest += -longest % BLOCK_MELS
    batch = np.full((len(mels), longest, 80), np.log(1e-5), np.float32)
    for n, mel in enumerate(mels):
        batch[n, : len(mel)] = mel
    codes = model(torch.from_numpy(batch)).codes.numpy().astype(np.int16)
    return [row[: -(-len(mel) // CODE_MELS)] for row, mel in zip(codes, mels, strict=True)]


def encode_shard(job: tuple[Path, Path, Path, Path, str, int]) -> None:
    """One shard, ``copies`` times: the first clean, the others augmented."""
    checkpoint, corpus, audio, out, name, copies = job
    target = out / f"{name}.npz"
    if target.exists():
        return
    torch.set_num_threads(1)
    model, scenery = load_tokenizer(checkpoint), Scenery.load(audio)
    rng = np.random.default_rng(int(name))
    clips = sorted(read_shard(corpus, name), key=lambda c: len(c.pcm))
    pcms = [c.pcm.astype(np.float32) / 32_768.0 for c in clips]
    rows: list[Codes] = []
    for copy in range(copies):
        # Ends of silence as the endpointer leaves them: half a second at most.
        ends = rng.integers([[0, 3_200]], [[4_800, 8_000]], (len(pcms), 2)).tolist()
        padded = [np.pad(pcm, end) for pcm, end in zip(pcms, ends, strict=True)]
        if copy:
            padded = [augment(p, rng, scenery, pcms[:50], 0.8) for p in padded]
        for start in range(0, len(padded), 16):
            rows += encode_many(model, padded[start : start + 16])
    np.savez(
        target,
        codes=np.concatenate(rows), lengths=np.array([len(r) for r in rows]),
        texts=json.dumps([c.text for c in clips]), calls=json.dumps([c.call for c in clips]),
    )  # fmt: skip


def read_codes(folder: Path) -> Iterator[Utterance]:
    """Every encoded utterance of the command corpus."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            ends = np.cumsum(data["lengths"])
            texts, calls = json.loads(str(data["texts"])), json.loads(str(data["calls"]))
            for n, (end, length) in enumerate(zip(ends, data["lengths"], strict=True)):
                of = n % len(texts)
                if calls[of] is None and held_out_talk(texts[of]):
                    continue  # shards may be older than the rule
                yield Utterance(data["codes"][end - length : end], texts[of], calls[of])


def encode_replies(checkpoint: Path, voice: Path, out: Path) -> None:
    """stem → codes of every WAV of the reply voice, in one .npz."""
    model = load_tokenizer(checkpoint)
    paths = sorted((voice / "wav").glob("*.wav"))
    found: dict[str, Codes] = {}
    for start in range(0, len(paths), 16):
        group = paths[start : start + 16]
        rows = encode_many(model, [read_wav(p) for p in group])
        found |= {p.stem: row for p, row in zip(group, rows, strict=True)}
    np.savez(out, **found)  # type: ignore[arg-type]  # its stub takes no names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("commands", "replies"))
    base = Path(".training")
    parser.add_argument("--checkpoint", type=Path, default=base / "tokenizer/checkpoint.pt")
    parser.add_argument("--corpus", type=Path, default=base / "corpus")
    parser.add_argument("--audio", type=Path, default=Path("../shared/audio"))
    parser.add_argument("--voice", type=Path, default=Path(".training/replies"))
    parser.add_argument("--out", type=Path, default=Path(".training/codes"))
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if args.what == "replies":
        encode_replies(args.checkpoint, args.voice, args.out.with_suffix(".npz"))
        return
    args.out.mkdir(exist_ok=True)
    jobs = [
        (args.checkpoint, args.corpus, args.audio, args.out, name, args.copies)
        for name in shard_names(args.corpus)
    ]
    with Pool(args.processes) as pool:
        pool.map(encode_shard, jobs, chunksize=1)


if __name__ == "__main__":
    main()
