"""One training run over several processes that can be stopped at any moment and started again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_export.training import ranks

REPORT_EVERY = 50  # steps


@dataclass(frozen=True)
class Plan:
    """What the command line says about a run."""

    out: Path
    minutes: float
    """Training time in all, counted over every run that shares the checkpoint."""
    ranks: int
    lr: float
    weight_decay: float
    clip: float
    """Norm of the gradient."""
    warmup: int
    """Steps."""
    decay: float
    """The learning rate falls in a line once ``decay`` × the share of time left is below 1."""
    save_every_s: float = 150.0
    init: Path | None = None
    """Weights to begin with (``keep``), where there is no checkpoint yet."""


class ResumableRun:
    """Model, optimiser and clock; ``kept`` attributes of a subclass travel with the checkpoint."""

    kept: tuple[str, ...] = ()

    def __init__(
        self,
        rank: int,
        plan: Plan,
        device: torch.device,
        model: nn.Module,
        config: dict[str, Any],
    ) -> None:
        """``config`` makes the model again from its checkpoint."""
        self.rank, self.plan, self.device, self.config = rank, plan, device, config
        self.network = model.to(device)
        self.optimiser = torch.optim.AdamW(
            model.parameters(), plan.lr, betas=(0.9, 0.98), weight_decay=plan.weight_decay
        )
        self.step, self.trained_s = 0, 0.0
        self._last: float | None = None  # loading is not training
        self._saved = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the time that is spent."""
        return self.trained_s / (60.0 * self.plan.minutes)

    def begin_step(self) -> None:
        """Set the learning rate by the clock."""
        self._last = self._last or time.monotonic()
        warm = min(1.0, (self.step + 1) / self.plan.warmup)
        rate = self.plan.lr * warm * min(1.0, self.plan.decay * (1.0 - self.progress) + 0.01)
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def learn(self, loss: Tensor) -> bool:
        """One step down the averaged gradient; False, and no step, when it is not finite."""
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if not ranks.average_gradients(self.network, self.plan.ranks):
            return False
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
        self.optimiser.step()
        return True

    def end_step(self, report: Callable[[], dict[str, Any]]) -> None:
        """Count the time of process 0 for all, so that they stop together; report and save."""
        self.step += 1
        now = time.monotonic()
        self.trained_s += ranks.agree([now - (self._last or now)], self.plan.ranks)[0]
        self._last = now
        if self.rank == 0 and self.step % REPORT_EVERY == 0:
            minutes = round(self.trained_s / 60, 2)
            print(json.dumps({"step": self.step, "minutes": minutes, **report()}), flush=True)
        if now - self._saved > self.plan.save_every_s:
            self.save()

    def save(self) -> None:
        """Process 0 writes the checkpoint beside the old one, then swaps."""
        self._saved = time.monotonic()
        if self.rank != 0:
            return
        state = {name: getattr(self, name) for name in ("step", "trained_s", *self.kept)}
        state |= {"config": self.config, "model": self.network.state_dict()}
        state["optimiser"] = self.optimiser.state_dict()
        temporary = self.plan.out / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.plan.out / "checkpoint.pt")

    def resume(self) -> None:
        """Go on from the checkpoint when there is one, else begin with ``plan.init``."""
        path = self.plan.out / "checkpoint.pt"
        if not path.exists():
            if self.plan.init is not None:
                self._begin_with(self.plan.init)
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name in ("step", "trained_s", *self.kept):
            setattr(self, name, state[name])

    def _begin_with(self, path: Path) -> None:
        """Weights and what goes with them, but a new clock and a new optimiser."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["model"])
        for name in self.kept:
            setattr(self, name, state[name])


def keep(checkpoint: Path, target: Path) -> None:
    """Store a checkpoint's weights in half precision, without optimiser and clock."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = {n: t.half() if t.is_floating_point() else t for n, t in state["model"].items()}
    left = ("model", "optimiser", "step", "steps", "trained_s", "spent")
    rest = {name: value for name, value in state.items() if name not in left}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**rest, "model": model}, target)
