"""Train the voice: `python -m model_export.training.decoder {corpus,vocoder,t2m,report} --help`.

Workflow: ``corpus`` speaks texts with the fixed voice; ``vocoder`` learns mel and pitch → waveform
from it; ``t2m`` learns tokens → mel and pitch from a .npz of token arrays, one per WAV, keyed by
its stem; ``vocoder --t2m`` then goes on with the mels ``t2m`` really makes; ``report`` measures
with an independent recogniser. A training started again with the same ``--out`` goes on from its
last checkpoint. The learning rate follows the time spent, so ``--minutes`` is the whole budget.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from device.sound.mel import HOP
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder, SpeechDecoderConfig
from model_export.families.linnet_mini.vocoder import Vocoder
from model_export.training.decoder_data import (
    Tokens,
    split,
    t2m_batches,
    vocoder_batches,
    with_made_mels,
)
from model_export.training.decoder_report import report
from model_export.training.decoder_trainer import Batch, Run, Trainer, load_weights
from model_export.training.reply_voice import VOICES, make_corpus
from model_export.training.spectral_losses import mel_loss, stft_loss
from model_export.training.text import invented_home
from services.language.outcome_sample import corpus as outcome
from services.language.replies import replies

WARM = 8  # frames at the start of a crop that are not judged: the stream has only begun
CHECKED = 24  # held-out examples the printed losses come from


def vocoder_loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Multi-resolution STFT and mel distance of the copy from the original."""
    mel, pitch, pcm = batch
    made, real = model(mel, pitch)[:, WARM * HOP :], pcm[:, WARM * HOP :]
    return {"stft": stft_loss(made, real), "mel": mel_loss(made, real)}


def t2m_loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """L1 of mel and of its change in time (against blur), of voiced log f0, and voicing."""
    tokens, mel, pitch, weight = batch
    made, tone = model(tokens)
    total = weight.sum()
    error = ((made - mel).abs().mean(dim=1) * weight).sum() / total
    moves = [x[:, :, 1:] - x[:, :, :-1] for x in (made, mel)]
    change = ((moves[0] - moves[1]).abs().mean(dim=1) * weight[:, 1:]).sum() / total
    voiced = pitch[:, 1] * weight
    f0 = ((tone[:, 0] - pitch[:, 0]).abs() * voiced).sum() / voiced.sum().clamp(min=1.0)
    sure = tone[:, 1].clamp(1e-4, 1 - 1e-4)
    said = F.binary_cross_entropy(sure, pitch[:, 1], weight=weight, reduction="sum") / total
    return {"mel": error, "delta": change, "f0": 5.0 * f0, "voicing": 0.5 * said}


def read_tokens(path: Path) -> Tokens:
    """stem → int64[n] from a .npz, one array of codes per WAV."""
    with np.load(path) as data:
        return {stem: data[stem].astype(np.int64) for stem in data.files}


def run_corpus(args: argparse.Namespace) -> None:
    """Speak replies, and texts for phonetic cover, until there are enough hours."""
    texts = corpus_texts(args.texts, args.reply_share, random.Random(args.seed))
    count = make_corpus(texts, args.voice, args.out, args.hours)
    print(f"{count} sentences in {args.out}")


def corpus_texts(paths: list[Path], reply_share: float, rng: random.Random) -> Iterator[str]:
    """Endless replies of invented homes, mixed with the files' lines in random order.

    Files are .txt with a sentence a line, or .jsonl with a ``text`` in each.
    """
    lines = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            lines.append(json.loads(line)["text"] if path.suffix == ".jsonl" else line)
    rng.shuffle(lines)
    while True:
        if lines and rng.random() >= reply_share:
            yield lines.pop()
        else:
            yield rng.choice(replies(outcome(rng, invented_home(rng))))


def run_vocoder(args: argparse.Namespace) -> None:
    """mel and pitch → waveform; with ``--t2m`` from the frames that decoder makes."""
    clips = split(args.corpus)
    if args.t2m:
        decoder = SpeechDecoder(SpeechDecoderConfig(codes=args.codes)).eval()
        load_weights(decoder, args.t2m)
        tokens = read_tokens(args.tokens)
        train, held = (with_made_mels(part, tokens, decoder) for part in clips)
    else:
        train, held = clips
    model = Vocoder()
    if args.init:
        load_weights(model, args.init)
    trainer = Trainer(model.to(args.device), vocoder_loss, _run(args))
    check = next(vocoder_batches(held, CHECKED, 1, args.device))
    trainer.fit(vocoder_batches(train, args.batch, trainer.steps, args.device), check)


def run_t2m(args: argparse.Namespace) -> None:
    """Tokens → mel and pitch."""
    tokens = read_tokens(args.tokens)
    train, held = split(args.corpus)
    if not any(c.stem in tokens for c in train) or not any(c.stem in tokens for c in held):
        raise SystemExit(f"{args.tokens}: no array is named like a WAV of {args.corpus[0]}")
    model = SpeechDecoder(SpeechDecoderConfig(codes=args.codes))
    if args.init:
        load_weights(model, args.init)
    trainer = Trainer(model.to(args.device), t2m_loss, _run(args))
    check = next(t2m_batches(held, tokens, args.codes, CHECKED, 0.0, 1, args.device))
    trainer.fit(
        t2m_batches(
            train, tokens, args.codes, args.batch, args.token_noise, trainer.steps, args.device
        ),
        check,
    )


def run_report(args: argparse.Namespace) -> None:
    """Word error rates of the original, of its copy, and (with ``--t2m``) of the token path."""
    vocoder = Vocoder().eval()
    load_weights(vocoder, args.vocoder)
    _, clips = split(args.corpus)
    made = None
    if args.t2m:
        decoder = SpeechDecoder(SpeechDecoderConfig(codes=args.codes)).eval()
        load_weights(decoder, args.t2m)
        made = with_made_mels(clips, read_tokens(args.tokens), decoder)
    print(json.dumps(report(vocoder, clips[: args.limit], made, args.keep), indent=2))


def _run(args: argparse.Namespace) -> Run:
    return Run(args.out, args.minutes, args.lr, args.device, args.save_seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of this process")
    commands = parser.add_subparsers(required=True)

    corpus = commands.add_parser("corpus", help=run_corpus.__doc__)
    corpus.set_defaults(command=run_corpus)
    corpus.add_argument("--texts", type=Path, nargs="*", default=[], help=".txt or .jsonl")
    corpus.add_argument("--reply-share", type=float, default=0.7, help="rest is from --texts")
    corpus.add_argument("--voice", choices=VOICES, default=VOICES[0])
    corpus.add_argument("--hours", type=float, default=2.0)
    corpus.add_argument("--seed", type=int, default=0, help="of the choice of sentences")
    corpus.add_argument("--out", type=Path, required=True)

    for name, command, lr in (("vocoder", run_vocoder, 1.5e-3), ("t2m", run_t2m, 1.5e-3)):
        train = commands.add_parser(name, help=command.__doc__)
        train.set_defaults(command=command)
        train.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
        train.add_argument("--minutes", type=float, default=25.0)
        train.add_argument("--save-seconds", type=float, default=120.0)
        train.add_argument("--lr", type=float, default=lr)
        train.add_argument("--batch", type=int, default=16, help="examples in a step")
        train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        _add_tokens(train, name == "t2m")
        train.add_argument("--init", type=Path, help="start from these weights")
        if name == "vocoder":
            train.add_argument("--t2m", type=Path, help="checkpoint of the token decoder")
        else:
            train.add_argument("--token-noise", type=float, default=0.02)

    measure = commands.add_parser("report", help=run_report.__doc__)
    measure.set_defaults(command=run_report)
    measure.add_argument("--vocoder", type=Path, required=True)
    measure.add_argument("--t2m", type=Path)
    measure.add_argument("--limit", type=int, default=60, help="clips of the held-out part")
    measure.add_argument("--keep", type=Path, help="folder for the WAV files that were judged")
    _add_tokens(measure, False)
    return parser


def _add_tokens(parser: argparse.ArgumentParser, needed: bool) -> None:
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--tokens", type=Path, required=needed, help=".npz, one array per WAV")
    parser.add_argument("--codes", type=int, default=1024)


def main() -> None:
    """Command line."""
    args = _parser().parse_args()
    if getattr(args, "t2m", None) and not args.tokens:
        raise SystemExit("--t2m needs --tokens")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.command(args)


if __name__ == "__main__":
    main()
