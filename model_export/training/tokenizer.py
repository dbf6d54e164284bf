"""Train the speech tokenizer: continuous first, then through the quantiser.

``python -m model_export.training.tokenizer --minutes 180 --ranks 2`` resumes from its checkpoint.
One thread a process and gradients averaged over processes is faster on a CPU than many threads.
Recipe: AdamW, short batches, augmentation ramped by the loss, learning rate by the clock; k-means
on live vectors starts the codebook, an exponential moving average keeps it (van den Oord 2017).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from model_export.families.linnet_mini.tokenizer import Encoded, Tokenizer, TokenizerConfig
from model_export.training import ranks
from model_export.training.batches import Batch, SpeechSource


@dataclass(frozen=True)
class Recipe:
    out: Path
    corpus: Path
    audio: Path
    minutes: float = 180.0
    """Training time in all, counted over every run that shares the checkpoint."""
    ranks: int = 2
    lr: float = 1.3e-3
    warmup: int = 250  # steps
    quantise_from: float = 0.4  # share of the time
    save_every_s: float = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".training/tokenizer"))
    parser.add_argument("--corpus", type=Path, default=Path(".training/corpus"))
    parser.add_argument("--audio", type=Path, default=Path("../shared/audio"))
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.3e-3)
    recipe = Recipe(**vars(parser.parse_args()))
    recipe.out.mkdir(parents=True, exist_ok=True)
    ranks.run_ranks(train, recipe.ranks, recipe)


def train(rank: int, recipe: Recipe) -> None:
    """One process of the training."""
    run = Run(rank, recipe, ranks.join(rank, recipe.ranks))
    source = SpeechSource(recipe.corpus, recipe.audio, seed=1000 * rank + run.step)
    while run.progress < 1.0:
        source.refresh()
        for batch in source.batches(run.strength):
            run.update(batch)
            if run.progress >= 1.0:
                break
    run.save()


class Run:
    """The state of a training run and one step of it."""

    def __init__(self, rank: int, recipe: Recipe, device: torch.device) -> None:
        self.rank, self.recipe, self.device = rank, recipe, device
        torch.manual_seed(0)
        self.model = Tokenizer(TokenizerConfig()).to(self.device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), recipe.lr, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.step, self.trained_s, self.audio_s, self.skipped = 0, 0.0, 0.0, 0
        self.loss, self.quantising = 3.0, False
        self._last: float | None = None  # loading is not training
        self._saved = time.monotonic()
        self._vectors: list[Tensor] = []
        self._load()

    # -- schedules ---------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        return self.trained_s / (60.0 * self.recipe.minutes)

    @property
    def strength(self) -> float:
        """Augmentation: 0.15 until letters appear, then by the loss, or by the clock if more."""
        if self.loss > 1.6:
            return 0.15
        return float(min(1.0, max((1.7 - self.loss) / 0.9, 0.3 + self.progress)))

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.recipe.warmup)
        return self.recipe.lr * warm * min(1.0, 1.8 * (1.0 - self.progress) + 0.01)

    # -- one step ----------------------------------------------------------------------------

    def update(self, batch: Batch) -> None:
        self._last = self._last or time.monotonic()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        with torch.autocast(self.device.type, torch.bfloat16):
            encoded = self.model(batch.mel.to(self.device), self.quantising)
        loss, value = self._loss(encoded, batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if ranks.average_gradients(self.model, self.recipe.ranks):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
            self.optimiser.step()
            self.loss = 0.99 * self.loss + 0.01 * value
        else:
            self.skipped += 1
        self._teach_quantiser(encoded.z.detach().float())
        self._tick(batch)

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
        if not self.quantising and self.progress >= self.recipe.quantise_from:
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
            ranks.share([quantiser.codebook, quantiser.sums, quantiser.counts], self.recipe.ranks)

    # -- clock, log, checkpoint --------------------------------------------------------------

    def _tick(self, batch: Batch) -> None:
        self.step += 1
        self.audio_s += float(batch.frames.sum()) * 0.02 * self.recipe.ranks
        now = time.monotonic()
        # The clock of process 0 counts for all, so that they stop at the same step.
        spent, self.loss = ranks.agree([now - (self._last or now), self.loss], self.recipe.ranks)
        self._last = now
        self.trained_s += spent
        if self.rank == 0 and self.step % 50 == 0:
            print(json.dumps(self._report()), flush=True)
        if self.rank == 0 and now - self._saved > self.recipe.save_every_s:
            self.save()

    def _report(self) -> dict[str, float | int | bool]:
        used = int((self.model.quantiser.counts > 0.1).sum()) if self.quantising else 0
        return {
            "step": self.step, "minutes": round(self.trained_s / 60, 2),
            "audio_h": round(self.audio_s / 3600, 2), "loss": round(self.loss, 4),
            "strength": round(self.strength, 2), "codes_used": used, "skipped": self.skipped,
        }  # fmt: skip

    def save(self) -> None:
        if self.rank != 0:
            return
        self._saved = time.monotonic()
        state = {
            "config": asdict(self.model.cfg), "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step,
            "trained_s": self.trained_s, "audio_s": self.audio_s, "loss": self.loss,
            "quantising": self.quantising,
        }  # fmt: skip
        temporary = self.recipe.out / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.recipe.out / "checkpoint.pt")

    def _load(self) -> None:
        path = self.recipe.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        for key in ("step", "trained_s", "audio_s", "loss", "quantising"):
            setattr(self, key, state[key])


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
