"""``linnet bench``: how fast it answers, at real pace, through the real loop.

Recorded turns are fed in 10 ms frames to the loop, which moves simulated devices over MQTT; no
sound card is used. ``first_audio_ms`` runs from the last voiced sample, known from the recording,
to the first sample above -50 dBFS that leaves the playback queue; a sound card adds its buffer.
``rtf`` is the processor time of this whole process, broker and simulated home included, per second
of sound fed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from typing import Any

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from services.bench.rig import rig
from services.bench.spoken import Spoken, recordings
from services.bench.stages import TurnTimes, first_audio, medians, turns_of
from services.bench.stream import StampingSink, TurnSource
from services.bench.typed import LINES, TypedBench, lines_of
from services.commands.common import UsageError
from services.evaluate.progress import Progress
from services.evaluation import chosen_settings
from services.exit_codes import ExitCode
from services.language.grammar import compile_grammar
from services.language.homeview import HomeView
from services.models import load_model
from services.settings import Settings
from services.voice.families.base import SpeechModel
from services.voice.timeline import TimelineEvent

TURNS = 24
DEVICES = 1000


def main(args: argparse.Namespace) -> int:
    """Measure and print; CHECK_FAILED when no turn was answered.

    Raises:
        UsageError, SettingsError, BundleError, EngineError, BrokerError, SynthesisError: see them.
    """
    if args.one_core:
        pin_to_one_core()
    if args.typed:
        return typed_main(args)
    if args.glm_streaming:
        return glm_streaming_main(args)
    settings = chosen_settings(args)
    source, spoken = recordings(settings.wake.phrase, args.limit or TURNS)
    if not spoken:
        raise UsageError(f"no recording wakes the box by {settings.wake.phrase!r}")
    table = measure(settings, load_model(settings), spoken)
    table |= {"recordings": source, "one_core": args.one_core}
    print(json.dumps(table) if args.json else "\n".join(_lines(table)))
    return ExitCode.OK if table["turns"]["answered"] else ExitCode.CHECK_FAILED


def typed_main(args: argparse.Namespace) -> int:
    """The same for typed lines; CHECK_FAILED when none was carried out. Raises as ``main``."""
    bench = TypedBench(Settings.load(args.config), args.devices or DEVICES)
    table = bench.measure(args.limit or LINES)
    print(json.dumps(table) if args.json else "\n".join(lines_of(table)))
    return ExitCode.OK if table["lines"]["all_confirmed"] else ExitCode.CHECK_FAILED


def glm_streaming_main(args: argparse.Namespace) -> int:
    """GLM-4-Voice by both ways of streaming. Raises as ``main``."""
    from services.bench import glm_streaming

    table = glm_streaming.measure(Bundle.open(args.bundle), EngineFactory("onnx"))
    print(json.dumps(table) if args.json else "\n".join(glm_streaming.lines_of(table)))
    return ExitCode.OK


def pin_to_one_core() -> None:
    """Everything from here on shares one processor core.

    Raises:
        UsageError: this system cannot do that.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise UsageError("--one-core needs Linux")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def measure(settings: Settings, model: SpeechModel, spoken: list[Spoken]) -> dict[str, Any]:
    """Speak every turn at real pace and time what follows.

    Raises:
        BrokerError: the embedded broker does not come up.
    """
    events: list[TimelineEvent] = []
    progress = Progress("turns")
    with rig(settings, model, events.append) as running:
        loop = running.loop
        microphone = TurnSource(spoken, loop.clock, lambda: _told(loop.busy, microphone, progress))
        speaker = StampingSink(loop.clock)
        cpu = time.process_time()
        loop.run(microphone, speaker)
        cpu = time.process_time() - cpu
        view = running.view
    progress.tell(len(spoken), len(spoken))
    turns = turns_of(microphone.starts, microphone.ends, events, speaker.heard)
    return {
        "first_audio_ms": first_audio(turns),
        "rtf": round(cpu / microphone.seconds, 4),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "stages_ms": medians(turns),
        "turns": _counts(turns, spoken, view),
        "seconds": round(microphone.seconds, 1),
        "family": settings.model.family,
    }


def _told(busy: bool, microphone: TurnSource, progress: Progress) -> bool:
    progress.tell(len(microphone.starts) - 1, len(microphone.turns))
    return busy


def _counts(turns: list[TurnTimes], spoken: list[Spoken], view: HomeView) -> dict[str, int]:
    """A turn that was missed has no time: it must not vanish from the figures."""
    grammar = compile_grammar(view)
    meant = [grammar.interpret(said.text) if said.text else None for said in spoken]
    return {
        "asked": len(spoken),
        "woken": sum(turn.woken for turn in turns),
        "answered": sum("first_audio" in turn.ms for turn in turns),
        "right_call": sum(
            call is not None and call == turn.call for call, turn in zip(meant, turns, strict=True)
        ),
        "known_call": sum(call is not None for call in meant),
    }


def _lines(table: dict[str, Any]) -> list[str]:
    counts, first = table["turns"], table["first_audio_ms"]
    stages = [
        f"  {stage:12} {'–' if ms is None else f'{ms:7.0f} ms'}"
        for stage, ms in table["stages_ms"].items()
    ]
    return [
        f"{counts['asked']} turns ({table['recordings']}), family {table['family']}",
        f"woken {counts['woken']}, answered {counts['answered']},"
        f" right call {counts['right_call']} of {counts['known_call']}",
        f"first audio    p50 {first['p50']} ms, p95 {first['p95']} ms from the end of speech",
        "medians from the end of speech:",
        *stages,
        f"real-time factor {table['rtf']:.3f}, memory {table['rss_mb']:.0f} MB",
    ]
