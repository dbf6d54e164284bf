"""The picture of ``linnet fleet simulate --plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ota.simulate import Outcome, World

_LABELS = {
    "gated": "gated waves (as in production)",
    "silence": "waves by the clock, silence counted",
    "errors": "waves by the clock, only reported errors counted",
    "open": "waves by the clock, a person stops them after 30 h",
}
_COLOURS = {"gated": "#1b7837", "silence": "#2166ac", "errors": "#b2182b", "open": "#b35806"}


def draw(path: Path, world: World, outcomes: Sequence[Outcome]) -> None:
    """Devices reached over time under each policy, and what became of them, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (reached, lost) = plt.subplots(
        1, 2, figsize=(13, 5.6), width_ratios=(3, 2), layout="constrained"
    )
    figure.suptitle(f"{world.devices:,} devices, {_release(world)}", fontsize=13)
    _curves(reached, outcomes)
    _bars(lost, outcomes, bricks=world.silent > 0)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _release(world: World) -> str:
    said = []
    if world.silent:
        said.append(f"bricks {world.silent:.0%} in silence")
    if world.failing:
        said.append(f"rolls back on {world.failing:.0%}")
    return "a release that " + " and ".join(said) if said else "a good release"


def _curves(axes: Any, outcomes: Sequence[Outcome]) -> None:
    axes.set_title("devices that began to install")
    for one in reversed(outcomes):
        hours = [moment.hours for moment in one.course]
        exposed = [max(1, moment.exposed) for moment in one.course]
        axes.plot(hours, exposed, color=_COLOURS[one.policy], lw=2.2)
        mark = "o" if one.completed else "X"
        axes.plot(hours[-1], exposed[-1], mark, color=_COLOURS[one.policy], ms=9)
    for text, colour, hours_, exposed_ in _ends(outcomes):
        axes.annotate(
            text, (hours_, max(1, exposed_)), xytext=(8, -14), textcoords="offset points",
            color=colour, fontsize=9.5,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xscale("symlog", linthresh=12)
    ticks = [0, 3, 6, 12, 24, 48, 96, 168]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(0, max(200, *(one.hours * 1.6 for one in outcomes)))
    axes.set_ylim(bottom=10)
    axes.set_xlabel("hours after the first wave opened")
    _plain(axes)


def _ends(outcomes: Sequence[Outcome]) -> list[tuple[str, str, float, int]]:
    """(text, colour, hours, devices) of what is written at the curves' ends, none on another."""
    placed: dict[tuple[bool, int], list[Outcome]] = {}
    for one in outcomes:
        placed.setdefault((one.completed, 0 if one.completed else one.exposed), []).append(one)
    ends = []
    for (completed, _), there in placed.items():
        first, last = min(o.hours for o in there), max(o.hours for o in there)
        span = f"{last:g} h" if first == last else f"{first:g} to {last:g} h"
        text = f"{'all done' if completed else 'stopped'}, {span}"
        colour = _COLOURS[there[0].policy] if len(there) == 1 else "#444444"
        ends.append((text, colour, last, there[0].exposed))
    return ends


def _bars(axes: Any, outcomes: Sequence[Outcome], *, bricks: bool) -> None:
    axes.set_title("devices bricked" if bricks else "devices that rolled back")
    counts = [one.bricked if bricks else one.failed for one in outcomes]
    for row, one, count in zip(range(len(outcomes)), outcomes, counts, strict=True):
        axes.barh(row, max(1, count), 0.3, color=_COLOURS[one.policy])
        axes.annotate(
            f"{count:,}", (max(1, count), row), xytext=(5, 0), textcoords="offset points",
            va="center", weight="bold", color=_COLOURS[one.policy],
        )  # fmt: skip
        axes.annotate(
            _LABELS[one.policy], (1, row - 0.27), xytext=(4, 0), textcoords="offset points",
            va="center", color=_COLOURS[one.policy], fontsize=9.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(1, max(10, *counts) * 12)
    axes.set_ylim(len(outcomes) - 0.5, -0.6)
    axes.set_yticks([])
    _plain(axes)


def _plain(axes: Any) -> None:
    from matplotlib.ticker import StrMethodFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
    logarithmic = axes.yaxis if axes.get_yscale() == "log" else axes.xaxis
    logarithmic.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
