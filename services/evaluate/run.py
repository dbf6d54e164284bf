"""Play a set to a model, in this process or in several; answers come in the order of the set."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from device.errors import DeviceError
from device.sound.files import AudioFileError, read_audio
from services.evaluate.errors import SetError
from services.evaluate.noise import CONDITIONS, Noises
from services.evaluate.recogniser import Recogniser
from services.evaluate.sets import EvaluationSet, Utterance
from services.evaluate.trial import Answer, converse, understand
from services.evaluate.variants import open_variant
from services.language.homeview import HomeView
from services.settings import Settings
from services.voice.families.base import SpeechModel

REPLIES = 72  # commands whose replies are spoken and recognised
LONGEST_S = 60.0
SOON = 8  # jobs given to a process at a time


@dataclass(frozen=True)
class Job:
    utterance: Utterance
    condition: str
    """Key of ``CONDITIONS``."""
    reply: bool
    """Whether the reply is to be spoken and recognised."""


@dataclass
class Player:
    """A loaded model and everything a job needs."""

    model: SpeechModel
    homes: Sequence[HomeView]
    noises: Noises
    recogniser: Recogniser | None
    """None: replies are not listened to."""

    def play(self, job: Job) -> Answer:
        """Raises SetError when the recording cannot be read."""
        said, home = job.utterance, self.homes[job.utterance.home]
        try:
            speech = read_audio(said.path, LONGEST_S)
        except AudioFileError as error:
            raise SetError(str(said.path), error.problem, error.remedy) from error
        pcm = self.noises.heard(speech, CONDITIONS[job.condition], said.number)
        if job.reply and self.recogniser is not None:
            return converse(self.model, home, pcm, said, job.condition, self.recogniser)
        return understand(self.model, home, pcm, said, job.condition)


def jobs(chosen: EvaluationSet, replies: bool) -> list[Job]:
    """Commands in every condition, everything else as it was recorded; one home after the other.

    A recogniser that is built for a home is built once for all of its utterances.
    """
    plan = [
        Job(said, condition, replies and condition == "clean" and place < REPLIES)
        for condition in CONDITIONS
        for place, said in enumerate(chosen.of("command"))
    ]
    plan += [Job(u, "clean", False) for u in chosen.utterances if u.kind != "command"]
    return sorted(plan, key=lambda job: job.utterance.home)


@dataclass(frozen=True)
class Run:
    """How a set is played; can be sent to another process."""

    settings: Settings
    variant: str
    homes: tuple[HomeView, ...]
    noise: Path
    listen: bool
    """Whether replies are recognised."""

    def player(self) -> Player:
        """Load the model; raises what ``load_model`` raises."""
        recogniser = Recogniser() if self.listen else None
        model = open_variant(self.settings, self.variant)
        return Player(model, self.homes, Noises.load(self.noise), recogniser)


def play_all(run: Run, plan: Sequence[Job], processes: int) -> Iterator[Answer]:
    """Every job's answer, in order."""
    if processes == 1:
        yield from map(run.player().play, plan)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (run,)) as pool:
        yield from pool.map(_play, plan, chunksize=SOON)


_players: list[Player | DeviceError] = []  # of a worker process: its one player


def _begin(run: Run) -> None:
    try:
        _players.append(run.player())
    except DeviceError as error:  # raised here it would only break the pool
        _players.append(error)


def _play(job: Job) -> Answer:
    player = _players[0]
    if isinstance(player, DeviceError):
        raise player
    return player.play(job)
