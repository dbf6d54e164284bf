"""One training run that can be stopped at any moment and started again where it was."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Batch], dict[str, Tensor]]

WARM_UP = 100  # steps
CLIP = 2.0  # norm of the gradient


@dataclass(frozen=True)
class Run:
    """What the command line says about a run."""

    out: Path
    minutes: float
    """Budget of CPU time (wall time on CUDA), earlier calls included."""
    lr: float
    device: str
    save_seconds: float = 120.0


class Trainer:
    """AdamW with a cosine over the time budget; ``out/last.pt`` is all of its memory."""

    def __init__(
        self, model: nn.Module, loss: Loss, run: Run, clock: Callable[[], float] | None = None
    ) -> None:
        self.model, self.loss, self.plan = model, loss, run
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=run.lr, betas=(0.8, 0.99), weight_decay=0.01
        )
        self.steps, self.spent = 0, 0.0  # spent: seconds
        on_cpu = not run.device.startswith("cuda")
        self.clock = clock or (time.process_time if on_cpu else time.perf_counter)  # seconds
        run.out.mkdir(parents=True, exist_ok=True)
        self.path = run.out / "last.pt"
        if self.path.exists():
            memory = torch.load(self.path, map_location=run.device, weights_only=True)
            model.load_state_dict(memory["model"])
            self.optimiser.load_state_dict(memory["optimiser"])
            self.steps, self.spent = memory["steps"], memory["spent"]

    def fit(self, batches: Iterator[Batch], check: Batch) -> dict[str, float]:
        """Train until the budget is spent; prints and returns the losses on ``check``."""
        budget = self.plan.minutes * 60
        begun, saved = self.clock() - self.spent, self.spent
        mean: dict[str, float] = {}
        while self.spent < budget:
            parts = self._step(next(batches), self.spent / budget)
            for name, value in parts.items():
                mean[name] = 0.98 * mean.get(name, value) + 0.02 * value
            self.spent = self.clock() - begun
            if self.spent - saved > self.plan.save_seconds:
                saved = self.spent
                self.save()
                self._report(mean, check)
        self.save()
        return self._report(mean, check)

    def _step(self, batch: Batch, progress: float) -> dict[str, float]:
        self.model.train()
        scale = min(1.0, (self.steps + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.lr * max(scale, 0.01)
        parts = self.loss(self.model, batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        if torch.isfinite(norm):  # one bad batch must not end a run
            self.optimiser.step()
        self.steps += 1
        return {name: float(value.detach()) for name, value in parts.items()}

    @torch.no_grad()
    def evaluate(self, check: Batch) -> dict[str, float]:
        """Losses on one batch without learning from it."""
        self.model.eval()
        return {name: float(value) for name, value in self.loss(self.model, check).items()}

    def _report(self, mean: dict[str, float], check: Batch) -> dict[str, float]:
        held = self.evaluate(check)
        figures = " ".join(f"{k} {mean.get(k, math.nan):.3f}/{v:.3f}" for k, v in held.items())
        print(f"{self.spent / 60:6.1f} min  step {self.steps:6d}  train/held {figures}", flush=True)
        return held

    def save(self) -> None:
        """Write the checkpoint beside the old one, then swap: a kill leaves a whole file."""
        memory = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "spent": self.spent,
        }
        fresh = self.path.with_suffix(".new")
        torch.save(memory, fresh)
        os.replace(fresh, self.path)


def load_weights(model: nn.Module, path: Path) -> None:
    """Weights of a checkpoint a Trainer wrote (a file, or the ``--out`` folder) into a model."""
    file = path / "last.pt" if path.is_dir() else path
    memory = torch.load(file, map_location="cpu", weights_only=True)
    model.load_state_dict(memory["model"])
