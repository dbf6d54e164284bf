"""Train the language model on codes and text.

``python -m model_export.training.lm --minutes 90 --ranks 2`` resumes from its checkpoint. Sequences
are packed by length, judged only where the model has to write; learning rate by the clock.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model_export.families.glm import Glm, GlmConfig, causal_mask
from model_export.training import ranks
from model_export.training.codes import read_codes
from model_export.training.run import Plan, ResumableRun
from model_export.training.sequences import Example, examples, outcomes_of
from services.language.vocabulary import Vocabulary

CODES = 1024


BATCH_TOKENS = 2_500  # padded ids, in each process


@dataclass(frozen=True)
class Sources:
    """What the model learns from."""

    codes: Path
    replies: Sequence[Path]
    """Codes of the reply voice, one file for each of ``texts``."""
    texts: Sequence[Path]
    vocabulary: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    base = Path(".training")
    parser.add_argument("--out", type=Path, default=base / "lm")
    parser.add_argument("--codes", type=Path, default=base / "codes")
    parser.add_argument("--replies", type=Path, nargs="+", default=[base / "reply_codes.npz"])
    parser.add_argument("--texts", type=Path, nargs="+", default=[base / "replies/texts.jsonl"])
    parser.add_argument("--vocabulary", type=Path, default=base / "ranks.tiktoken")
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--init", type=Path, help="weights to begin with")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        args.out, args.minutes, args.ranks, args.lr,
        weight_decay=0.02, clip=1.0, warmup=200, decay=1.3, init=args.init,
    )  # fmt: skip
    sources = Sources(args.codes, args.replies, args.texts, args.vocabulary)
    ranks.run_ranks(train, plan.ranks, plan, sources)


def train(rank: int, plan: Plan, sources: Sources) -> None:
    """One process of the training."""
    run = Run(rank, plan, ranks.join(rank, plan.ranks), sources)
    for batch in run.batches():
        run.update(batch)
        if run.progress >= 1.0:
            break
    run.save()


class Run(ResumableRun):
    """The language model's batches and losses."""

    kept = ("tokens", "losses")

    def __init__(self, rank: int, plan: Plan, device: torch.device, sources: Sources) -> None:
        self.sources = sources
        self.vocabulary = Vocabulary.load(sources.vocabulary, CODES)
        torch.manual_seed(0)
        self.model = Glm(GlmConfig(vocab=self.vocabulary.size))
        super().__init__(rank, plan, device, self.model, asdict(self.model.cfg))
        self.tokens = 0.0
        self.losses = {"text": 7.0, "audio": 7.0}
        self.resume()

    def batches(self) -> Iterator[list[Example]]:
        """Examples of similar length, about ``BATCH_TOKENS`` padded ids a batch."""
        rng = random.Random(1_000 * self.rank + self.step)
        spoken = _spoken_replies(self.sources)
        pairs = outcomes_of(spoken, seed=5, tries=30_000)
        utterances = list(read_codes(self.sources.codes))
        source = examples(self.vocabulary, utterances, spoken, pairs, rng)
        while True:
            pool = sorted(islice(source, 1_200), key=lambda e: len(e.ids))
            groups: list[list[Example]] = [[]]
            for example in pool:
                if len(example.ids) * (len(groups[-1]) + 1) > BATCH_TOKENS:
                    groups.append([])
                groups[-1].append(example)
            rng.shuffle(groups)
            yield from groups

    def update(self, batch: list[Example]) -> None:
        self.begin_step()
        self.learn(self._loss(batch))
        self.tokens += sum(len(e.ids) for e in batch) * self.plan.ranks
        self.end_step(self._report)

    def _loss(self, batch: list[Example]) -> Tensor:
        ids, read, judged = (part.to(self.device) for part in pad(batch))
        length = ids.shape[1] - 1
        with torch.autocast(self.device.type, torch.bfloat16):
            positions = torch.arange(length, device=self.device)
            hidden, _ = self.model(read[:, :-1], positions, causal_mask(length, self.device))
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

    def _report(self) -> dict[str, Any]:
        losses = {kind: round(value, 3) for kind, value in self.losses.items()}
        return {"tokens_m": round(self.tokens / 1e6, 3), **losses}


def _spoken_replies(sources: Sources) -> dict[str, np.ndarray]:
    """text → codes of everything the reply voice has said."""
    found: dict[str, np.ndarray] = {}
    for codes, texts in zip(sources.replies, sources.texts, strict=True):
        rows = [json.loads(line) for line in texts.read_text().splitlines()]
        with np.load(codes) as file:
            data = dict(file)
        found |= {r["text"]: data[r["stem"]] for r in rows if r["stem"] in data}
    return found


def pad(batch: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """int64 ids and what is read in their place, bool where judged: [batch, longest] each."""
    longest = max(len(e.ids) for e in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    read = torch.zeros_like(ids)
    judged = torch.zeros(len(batch), longest, dtype=torch.bool)
    for n, example in enumerate(batch):
        ids[n, : len(example.ids)] = torch.from_numpy(example.ids)
        read[n, : len(example.ids)] = torch.from_numpy(
            example.ids if example.read is None else example.read
        )
        judged[n, : len(example.ids)] = torch.from_numpy(example.judged)
    return ids, read, judged


def load_lm(path: Path) -> Glm:
    """A trained language model from its checkpoint."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Glm(GlmConfig(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval()


if __name__ == "__main__":
    main()
