"""``linnet eval``: how often a command is understood, how often talk is taken for one.

A set is played to the model in pieces of 40 ms, faster than real time; what it calls is compared
with what was meant. Nothing is sent to any device. One object on standard output with ``--json``,
a table without; progress on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from device.bundle import Bundle
from services.bundles import chosen_bundle
from services.commands.common import UsageError
from services.evaluate import report, typed_misses
from services.evaluate.directory_set import read_directory
from services.evaluate.held_out_set import DRAWS, WIDE_DRAW, held_out_set
from services.evaluate.homes import evaluation_homes, read_home, wide_homes
from services.evaluate.intents_run import SETS, lines, measure
from services.evaluate.noise import Noises
from services.evaluate.progress import Progress
from services.evaluate.recogniser import Recogniser
from services.evaluate.run import Run, jobs, play_all
from services.evaluate.sets import EvaluationSet
from services.evaluate.source_voice import reply_errors, source_errors, source_voice
from services.evaluate.speech_cache import SpeechCache
from services.evaluate.trial import Answer, Reply
from services.evaluate.variants import VARIANTS
from services.exit_codes import ExitCode
from services.line_model import line_guess
from services.settings import Settings

TELL_EVERY = 10  # utterances


def main(args: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        UsageError, SettingsError, SetError, SynthesisError, BundleError, EngineError: see them.
    """
    if args.set in SETS:
        return _intents(args)
    settings = chosen_settings(args)
    if args.set == typed_misses.SET:
        return _typed_misses(args, settings)
    if args.alone and settings.model.family != "linnet_mini":
        raise UsageError("--alone is for the family linnet_mini, which has two recognisers")
    if args.details is not None:
        _check_writable(args.details)
    chosen = _set(args)
    if not chosen.utterances:
        raise UsageError(f"{args.set}: holds no recording that can be used")
    listen = find_spec("pocketsphinx") is not None
    run = Run(settings, "fused", tuple(chosen.homes), args.shared / "audio/noise", listen)
    answers = _play(run, chosen, args.jobs)
    noise = Noises.load(run.noise).kind
    table = report.described(chosen, settings.model.family, noise)
    table |= report.understanding(answers) | report.details(answers)
    table |= report.intelligibility(_intelligibility(settings, answers, listen))
    if args.alone:
        table |= _variants(run, chosen, args.jobs, answers)
    if args.details is not None:
        _write_details(args.details, answers)
    print(json.dumps(table) if args.json else "\n".join(report.lines(table)))
    return ExitCode.OK


def _intents(args: argparse.Namespace) -> int:
    """Typed sentences, without a model: recognised, resolved, compared by their effect."""
    progress = Progress(args.set)
    table = measure(args.set, args.limit, progress.tell)
    told = json.dumps(table, ensure_ascii=False) if args.json else "\n".join(lines(table))
    print(told)
    return ExitCode.OK


def _typed_misses(args: argparse.Namespace, settings: Settings) -> int:
    """Typed lines that no template fits, by the language model of the bundle."""
    guess = line_guess(Bundle.open(chosen_bundle(settings)), settings.model.threads, accept=0.0)
    assert guess is not None  # noqa: S101 - a score was given
    table = typed_misses.measure(guess.ranked, args.limit, Progress(args.set).tell)
    told = json.dumps(table) if args.json else "\n".join(typed_misses.lines(table))
    print(told)
    return ExitCode.OK


def chosen_settings(args: argparse.Namespace) -> Settings:
    """The settings file, and what the command line says instead."""
    settings = Settings.load(args.config)
    changes: dict[str, object] = {}
    if args.family is not None:
        changes["family"] = args.family
    if args.bundle is not None:
        changes["bundle"] = args.bundle
    model = settings.model.model_copy(update=changes)
    return settings.model_copy(update={"model": model})


def _set(args: argparse.Namespace) -> EvaluationSet:
    draw = DRAWS.get(args.set)
    built_in = wide_homes() if draw is WIDE_DRAW else evaluation_homes()
    homes = built_in if args.home is None else (read_home(args.home),)
    if draw is not None:
        tell = Progress("speech made").tell
        cache = SpeechCache.default()
        return held_out_set(homes, args.shared, args.limit, cache, tell, draw=draw)
    directory = Path(args.set)
    if not directory.is_dir():
        raise UsageError(f"--set {args.set}: neither {', '.join((*DRAWS, *SETS))} nor a directory")
    return read_directory(directory, homes[0], args.limit)


def _play(run: Run, chosen: EvaluationSet, processes: int) -> list[Answer]:
    plan = jobs(chosen, run.listen)
    progress = Progress(f"{chosen.name}, {run.variant}")
    answers: list[Answer] = []
    for answer in play_all(run, plan, processes):
        answers.append(answer)
        if len(answers) % TELL_EVERY == 0 or len(answers) == len(plan):
            progress.tell(len(answers), len(plan), _so_far(answers))
    return answers


def _so_far(answers: list[Answer]) -> str:
    rates = report.call_accuracy(answers)
    shown = (f"{key} {rates[key]:.1%}" for key in ("clean", "snr10", "snr5") if rates[key])
    return ", ".join(shown)


def _intelligibility(
    settings: Settings, answers: list[Answer], listen: bool
) -> report.Intelligibility:
    replies = _distinct(a.reply for a in answers if a.reply is not None)
    if not listen:
        sys.stderr.write("replies were not recognised: pip install 'linnet[recogniser]'\n")
    if not replies:
        return report.Intelligibility()
    errors, voice = reply_errors(replies), source_voice(settings)
    if voice is None:
        return report.Intelligibility(errors)
    source = source_errors(replies, voice, SpeechCache.default(), Recogniser())
    return report.Intelligibility(errors, source, voice)


def _distinct(replies: Iterable[Reply]) -> list[Reply]:
    """Each text once: twenty times the same word would count twenty times."""
    return list({reply.text: reply for reply in replies}.values())


def _variants(
    run: Run, chosen: EvaluationSet, processes: int, fused: list[Answer]
) -> dict[str, report.Table]:
    found = {"fused": report.understanding(fused)}
    for variant in VARIANTS:
        if variant not in found:
            alone = Run(run.settings, variant, run.homes, run.noise, listen=False)
            found[variant] = report.understanding(_play(alone, chosen, processes))
    return found


def _check_writable(path: Path) -> None:
    """Now, not after an hour."""
    try:
        path.touch()
    except OSError as error:
        raise UsageError(f"--details {path}: cannot be written ({error.strerror})") from error


def _write_details(path: Path, answers: list[Answer]) -> None:
    """One line an utterance; the file holds what was said."""
    with path.open("w", encoding="utf-8") as file:
        for answer in answers:
            said = answer.utterance
            row = {
                "recording": said.path.name,
                "kind": said.kind,
                "voice": said.voice,
                "condition": answer.condition,
                "text": said.text,
                "transcript": answer.transcript,
                "meant": said.call.json() if said.call else None,
                "called": answer.call.json() if answer.call else None,
            }
            file.write(json.dumps(row) + "\n")
