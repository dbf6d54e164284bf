"""Train the language model on codes and text.

``python -m model_export.training.lm --minutes 90 --ranks 2`` resumes from its checkpoint. Sequences
are packed by length, judged only where the model has to write; learning rate by the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model_export.families.glm import Glm, GlmConfig, causal_mask
from model_export.training import ranks
from model_export.training.codes import read_codes
from model_export.training.sequences import Example, examples, outcomes_of
from services.language.vocabulary import Vocabulary

CODES = 1024


@dataclass(frozen=True)
class Recipe:
    out: Path
    codes: Path
    replies: Path
    texts: Path
    vocabulary: Path
    minutes: float = 90.0
    ranks: int = 2
    lr: float = 1.5e-3
    warmup: int = 200  # steps
    tokens: int = 2_500  # a batch, in each process
    save_every_s: float = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    base = Path(".training")
    parser.add_argument("--out", type=Path, default=base / "lm")
    parser.add_argument("--codes", type=Path, default=base / "codes")
    parser.add_argument("--replies", type=Path, default=base / "reply_codes.npz")
    parser.add_argument("--texts", type=Path, default=base / "replies/texts.jsonl")
    parser.add_argument("--vocabulary", type=Path, default=base / "ranks.tiktoken")
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    recipe = Recipe(**vars(parser.parse_args()))
    recipe.out.mkdir(parents=True, exist_ok=True)
    ranks.run_ranks(train, recipe.ranks, recipe)


def train(rank: int, recipe: Recipe) -> None:
    """One process of the training."""
    device = ranks.join(rank, recipe.ranks)
    run = Run(rank, recipe, device)
    for batch in run.batches():
        run.update(batch)
        if run.progress >= 1.0:
            break
    run.save()


class Run:
    """The state of a training run and one step of it."""

    def __init__(self, rank: int, recipe: Recipe, device: torch.device) -> None:
        self.rank, self.recipe, self.device = rank, recipe, device
        self.vocabulary = Vocabulary.load(recipe.vocabulary, CODES)
        torch.manual_seed(0)
        self.model = Glm(GlmConfig(vocab=self.vocabulary.size)).to(device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), recipe.lr, betas=(0.9, 0.98), weight_decay=0.02
        )
        self.step, self.trained_s, self.tokens = 0, 0.0, 0.0
        self.losses = {"text": 7.0, "audio": 7.0}
        self._last: float | None = None  # loading is not training
        self._saved = time.monotonic()
        self._load()

    @property
    def progress(self) -> float:
        return self.trained_s / (60.0 * self.recipe.minutes)

    def batches(self) -> Iterator[list[Example]]:
        """Examples of similar length, about ``recipe.tokens`` padded ids a batch."""
        rng = random.Random(1_000 * self.rank + self.step)
        spoken = _spoken_replies(self.recipe)
        pairs = outcomes_of(spoken, seed=5, tries=30_000)
        utterances = list(read_codes(self.recipe.codes))
        source = examples(self.vocabulary, utterances, spoken, pairs, rng)
        while True:
            pool = sorted(islice(source, 1_200), key=lambda e: len(e.ids))
            groups: list[list[Example]] = [[]]
            for example in pool:
                if len(example.ids) * (len(groups[-1]) + 1) > self.recipe.tokens:
                    groups.append([])
                groups[-1].append(example)
            rng.shuffle(groups)
            yield from groups

    def update(self, batch: list[Example]) -> None:
        self._last = self._last or time.monotonic()
        for group in self.optimiser.param_groups:
            warm = min(1.0, (self.step + 1) / self.recipe.warmup)
            group["lr"] = self.recipe.lr * warm * min(1.0, 1.3 * (1.0 - self.progress) + 0.01)
        loss = self._loss(batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if ranks.average_gradients(self.model, self.recipe.ranks):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
        self._tick(sum(len(e.ids) for e in batch))

    def _loss(self, batch: list[Example]) -> Tensor:
        ids, judged = _pad(batch)
        ids, judged = ids.to(self.device), judged.to(self.device)
        length = ids.shape[1] - 1
        with torch.autocast(self.device.type, torch.bfloat16):
            positions = torch.arange(length, device=self.device)
            hidden, _ = self.model(ids[:, :-1], positions, causal_mask(length, self.device))
            # Only the judged places meet the wide output layer.
            logits = self.model.output_layer(hidden[judged[:, 1:]]).float()
        target = ids[:, 1:][judged[:, 1:]]
        each = F.cross_entropy(logits, target, reduction="none")
        audio = target >= self.vocabulary.first_code
        self._note("audio", each[audio])
        self._note("text", each[~audio])
        return each.mean()

    def _note(self, kind: str, losses: Tensor) -> None:
        if len(losses):
            self.losses[kind] = 0.98 * self.losses[kind] + 0.02 * float(losses.detach().mean())

    def _tick(self, tokens: int) -> None:
        self.step += 1
        self.tokens += tokens * self.recipe.ranks
        now = time.monotonic()
        self.trained_s += ranks.agree([now - (self._last or now)], self.recipe.ranks)[0]
        self._last = now
        if self.rank == 0 and self.step % 50 == 0:
            print(json.dumps({
                "step": self.step, "minutes": round(self.trained_s / 60, 2),
                "tokens_m": round(self.tokens / 1e6, 3),
                **{k: round(v, 3) for k, v in self.losses.items()},
            }), flush=True)  # fmt: skip
        if self.rank == 0 and now - self._saved > self.recipe.save_every_s:
            self.save()

    def save(self) -> None:
        if self.rank != 0:
            return
        self._saved = time.monotonic()
        state = {
            "config": asdict(self.model.cfg), "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step,
            "trained_s": self.trained_s, "tokens": self.tokens, "losses": self.losses,
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
        for key in ("step", "trained_s", "tokens", "losses"):
            setattr(self, key, state[key])


def _spoken_replies(recipe: Recipe) -> dict[str, np.ndarray]:
    """text → codes of everything the reply voice has said."""
    rows = [json.loads(line) for line in recipe.texts.read_text().splitlines()]
    with np.load(recipe.replies) as data:
        return {r["text"]: data[r["stem"]] for r in rows if r["stem"] in data.files}


def _pad(batch: list[Example]) -> tuple[Tensor, Tensor]:
    longest = max(len(e.ids) for e in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    judged = torch.zeros(len(batch), longest, dtype=torch.bool)
    for n, example in enumerate(batch):
        ids[n, : len(example.ids)] = torch.from_numpy(example.ids)
        judged[n, : len(example.ids)] = torch.from_numpy(example.judged)
    return ids, judged


def load_lm(path: Path) -> Glm:
    """A trained language model from its checkpoint."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Glm(GlmConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval()


if __name__ == "__main__":
    main()
