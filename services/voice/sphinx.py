"""pocketsphinx and how this appliance sets it up; the one place that imports it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SAMPLE_RATE = 16_000
_NATS = 1024.0  # pocketsphinx keeps path scores divided by this


class RecogniserMissing(RuntimeError):
    """pocketsphinx is not installed."""


@dataclass(frozen=True)
class SphinxSettings:
    """How pocketsphinx searches; defaults by ``services.evaluate.tuning_opinion``."""

    beam: float = 1e-48
    """Least probability of a state, relative to the best."""
    word_beam: float = 7e-29
    phone_beam: float = 1e-48
    most_states: int = 5000
    """States that may live in one frame."""
    language_weight: float = 6.5
    word_insertion: float = 0.65
    ahead_s: float = 0.8
    """``finish`` takes over what ``peek`` found when no more sound than this came since."""
    loop: bool = True
    """Run the phone loop for rejection: half of the work."""
    accept: float = -0.56
    """Least ``Hypothesis.ratio`` of a call to be trusted."""
    cover: float = 0.62
    """Least share of the speech heard by the phone loop that the sentence's words must take."""
    longest_s: float = 20.0
    """Sound after this is not heard any more, in seconds."""


def open_decoder(settings: SphinxSettings, **more: Any) -> Any:
    try:
        import pocketsphinx
    except ImportError:
        raise RecogniserMissing(
            "pocketsphinx is not installed: pip install 'linnet[recogniser]', "
            "or choose a family without a second opinion"
        ) from None
    chosen = {
        "beam": settings.beam, "wbeam": settings.word_beam, "pbeam": settings.phone_beam,
        "maxhmmpf": settings.most_states, "lw": settings.language_weight,
        "wip": settings.word_insertion,
    }  # fmt: skip
    # Silence is in the grammar where it may be; fillers everywhere would double the search.
    quiet = {"lm": None, "loglevel": "FATAL", "fsgusefiller": False, "bestpath": False}
    return pocketsphinx.Decoder(pocketsphinx.Config(**{**quiet, **chosen, **more}))


def open_loop(settings: SphinxSettings) -> Any:
    """A decoder that may hear any phone after any other."""
    import pocketsphinx

    loop = open_decoder(settings, beam=1e-30, pbeam=1e-30, lw=1.0, pip=1.0)
    loop.add_allphone_file("phones", pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin"))
    loop.activate_search("phones")
    return loop


def nats(score: float) -> float:
    return math.log(score) * _NATS if score > 0 else -math.inf


def voiced(decoder: Any) -> int:
    """Frames of the best path that are speech."""
    return sum(
        segment.end_frame - segment.start_frame + 1
        for segment in decoder.seg() or ()
        if segment.word[0] not in "<(+" and segment.word != "SIL"
    )


def words(text: str) -> str:
    return " ".join(word for word in text.split() if word[0] not in "<[+")
