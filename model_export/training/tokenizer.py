"""Train the speech tokenizer: continuous first, then through the quantiser.

``python -m model_export.training.tokenizer --minutes 180 --ranks 2`` resumes from its checkpoint.
One thread a process and gradients averaged over processes is faster on a CPU than many threads.
Recipe: AdamW, short batches, augmentation ramped by the loss, learning rate by the clock; k-means
on live vectors starts the codebook, an exponential moving average keeps it (van den Oord 2017).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_export.families.linnet_mini.tokenizer import Encoded, Tokenizer, TokenizerConfig
from model_export.training import ranks
from model_export.training.batches import Batch, SpeechSource
from model_export.training.run import Plan, ResumableRun

QUANTISE_FROM = 0.4  # share of the time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".training/tokenizer"))
    parser.add_argument("--corpus", type=Path, default=Path(".training/corpus"))
    parser.add_argument("--audio", type=Path, default=Path("../shared/audio"))
    parser.add_argument("--voice", type=Path, help="the reply voice's corpus, mixed in")
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.3e-3)
    parser.add_argument("--init", type=Path, help="weights to begin with")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        args.out, args.minutes, args.ranks, args.lr,
        weight_decay=0.01, clip=2.0, warmup=250, decay=1.8, init=args.init,
    )  # fmt: skip
    ranks.run_ranks(train, plan.ranks, plan, args.corpus, args.audio, args.voice)


def train(rank: int, plan: Plan, corpus: Path, audio: Path, voice: Path | None = None) -> None:
    """One process of the training."""
    run = Run(rank, plan, ranks.join(rank, plan.ranks))
    source = SpeechSource(corpus, audio, seed=1000 * rank + run.step, voice=voice)
    while run.progress < 1.0:
        source.refresh()
        for batch in source.batches(run.strength):
            run.update(batch)
            if run.progress >= 1.0:
                break
    run.save()


class Run(ResumableRun):
    """The tokenizer's losses, its augmentation ramp and its codebook."""

    kept = ("audio_s", "loss", "quantising")

    def __init__(self, rank: int, plan: Plan, device: torch.device) -> None:
        torch.manual_seed(0)
        self.model = Tokenizer(TokenizerConfig())
        super().__init__(rank, plan, device, self.model, asdict(self.model.cfg))
        self.audio_s, self.skipped = 0.0, 0
        self.loss, self.quantising = 3.0, False
        self._vectors: list[Tensor] = []
        self.resume()

    @property
    def strength(self) -> float:
        """Augmentation: 0.15 until letters appear, then by the loss, or by the clock if more."""
        if self.loss > 1.6:
            return 0.15
        return float(min(1.0, max((1.7 - self.loss) / 0.9, 0.3 + self.progress)))

    def update(self, batch: Batch) -> None:
        self.begin_step()
        with torch.autocast(self.device.type, torch.bfloat16):
            encoded = self.model(batch.mel.to(self.device), self.quantising)
        loss, value = self._loss(encoded, batch)
        if self.learn(loss):
            # The ramp must be the same everywhere, so process 0's loss counts.
            mean = 0.99 * self.loss + 0.01 * value
            self.loss = ranks.agree([mean], self.plan.ranks)[0]
        else:
            self.skipped += 1
        self._teach_quantiser(encoded.z.detach().float())
        self.audio_s += float(batch.frames.sum()) * 0.02 * self.plan.ranks
        self.end_step(self._report)

    def _loss(self, encoded: Encoded, batch: Batch) -> tuple[Tensor, float]:
        pre, post = (self._ctc(x, batch) for x in (encoded.ctc, encoded.ctc_post))
        loss = 0.5 * pre + 0.5 * post
        if self.quantising:
            codes = self.model.quantiser.codebook[encoded.codes]
            loss = loss + 0.25 * F.mse_loss(encoded.z.float(), codes)
        return loss, float(pre.detach())

    def _ctc(self, logits: Tensor, batch: Batch) -> Tensor:
        """Mean loss per letter."""
        return F.ctc_loss(
            logits.float().transpose(0, 1), batch.letters, batch.frames, batch.lengths,
            zero_infinity=True,
        )  # fmt: skip

    def _teach_quantiser(self, z: Tensor) -> None:
        """Process 0 moves the codebook and sends it to the others."""
        quantiser = self.model.quantiser
        if not self.quantising and self.progress >= QUANTISE_FROM:
            self._vectors.append(z.flatten(0, 1))
            if len(self._vectors) < 24:
                return
            quantiser.codebook.copy_(_k_means(torch.cat(self._vectors), len(quantiser.codebook)))
            quantiser.sums.copy_(quantiser.codebook)
            quantiser.counts.fill_(1.0)
            self.quantising, self._vectors = True, []
        elif self.quantising and self.rank == 0:
            quantiser.learn(z.flatten(0, 1))
        if self.quantising:
            ranks.share([quantiser.codebook, quantiser.sums, quantiser.counts], self.plan.ranks)

    def _report(self) -> dict[str, Any]:
        used = int((self.model.quantiser.counts > 0.1).sum()) if self.quantising else 0
        return {
            "audio_h": round(self.audio_s / 3600, 2), "loss": round(self.loss, 4),
            "strength": round(self.strength, 2), "codes_used": used, "skipped": self.skipped,
        }  # fmt: skip


def _k_means(vectors: Tensor, count: int, rounds: int = 12) -> Tensor:
    """Codebook [count, D] from vectors [N, D]."""
    if len(vectors) < count:
        vectors = vectors.repeat(count // len(vectors) + 1, 1)
    centres = vectors[torch.randperm(len(vectors))[:count]].clone()
    for _ in range(rounds):
        nearest = ((centres**2).sum(1) - 2 * vectors @ centres.T).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        hits = torch.bincount(nearest, minlength=count).unsqueeze(1)
        fresh = vectors[torch.randint(len(vectors), (count,))]
        centres = torch.where(hits > 0, sums / hits.clamp(min=1), fresh)
    return centres


def load_tokenizer(path: Path) -> Tokenizer:
    """A trained tokenizer from its checkpoint, ready to encode."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Tokenizer(TokenizerConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval()


if __name__ == "__main__":
    main()
