"""``linnet talk``: a conversation with the home in the terminal, typed or spoken.

What is typed is read by sentence templates. Where none of them fits, a model that has learnt to may
guess; a guess is done only after a yes. It is carried out by the same home and answered by the same
truthful sentences, so the home can be tried without sound or model. Where a sentence may mean
several devices it is asked which, once; the next line may answer. A line may also name a tool of
another server that the owner listed, or mean one, which is asked about: this process may reach it,
the one that hears may not. This is the one place where what was said is shown; it is not logged
here either.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device.sound.portaudio import PortAudio
from services.exit_codes import ExitCode
from services.home.embedded_broker import EmbeddedBroker
from services.home.executor import Home
from services.home.ringing import Chime, outcome
from services.home.simulated import SimulatedHome
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.functions import FUNCTIONS
from services.language.outcome import Outcome
from services.language.reply_languages import replies_in
from services.language.yes_no import says_yes
from services.line_model import LateGuess
from services.models import load_model
from services.owner_map import with_owner_map
from services.settings import Settings, with_family
from services.spoken_language import not_spoken
from services.spoken_replies import Mouth, mouth, speak
from services.typed import TypedLines
from services.voice.families.base import SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.setup import open_home_and_loop
from services.voice.timeline import TimelineEvent
from services.wiring import at_broker, open_home

if TYPE_CHECKING:
    from services.mcp.listed import ListedTools

CONNECT_WAIT_S = 5.0
PROMPT = "> "
TYPED = "typed"
"""Who is asked back, and answers, at this terminal."""
STOP_S = 2.0


@dataclass(frozen=True)
class Said:
    """A reply, and where its sound went."""

    text: str
    note: str | None = None

    @property
    def line(self) -> str:
        return f"{self.text}  [{self.note}]" if self.note else self.text


Say = Callable[[Outcome], Said]
"""Answers an outcome; the words it was answered with."""


def main(args: argparse.Namespace) -> int:
    """Talk until end of input (Ctrl-D) or Ctrl-C.

    Raises:
        SettingsError, BrokerError, AudioError, BundleError, EngineError: it cannot begin.
    """
    settings = with_family(Settings.load(args.config), args.family)
    with ExitStack() as parts:
        if args.simulated:
            broker = parts.enter_context(EmbeddedBroker())
            parts.enter_context(SimulatedHome(broker.address))
            settings = at_broker(settings, broker.address)
        else:
            settings = with_owner_map(settings)
        try:
            if args.microphone:
                _listen(settings, parts)
            else:
                _read(settings, args.speak, parts)
        except KeyboardInterrupt:
            print()
    return ExitCode.OK


# --- typed -----------------------------------------------------------------------------------


def _read(settings: Settings, wanted: bool | Path | None, parts: ExitStack) -> None:
    language = settings.home.language
    ring = partial(_ring, language)
    home = parts.enter_context(open_home(settings, status_topic=None, ring=ring))
    _await(home)
    say: Say = partial(_plainly, language)
    unspoken = not_spoken(settings)
    if unspoken is not None and wanted is not None:
        print(f"{unspoken}: replies are shown, not spoken")
    elif wanted is not None:
        model = load_model(settings)
        folder = wanted if isinstance(wanted, Path) else None
        say = _aloud(model, home, parts.enter_context(mouth(settings, folder)))
    path = FastPath(language)
    path.warm_up(home.view())  # now, so that the first answer is as quick as the others
    tools = _foreign(settings, parts)
    lines = TypedLines(path, LateGuess.of(settings), tools)
    for text in _typed():
        told = tools.answer(text) if tools else None
        if told is None:
            _turn(home, lines, text, say, tools)
        else:
            home.withdraw()  # a question that was open is over, as after any other command
            lines.forget()
            print(told)


def _foreign(settings: Settings, parts: ExitStack) -> ListedTools | None:
    """The tools of the servers that the owner listed, where there are any."""
    if not settings.mcp.servers:
        return None
    from services.mcp.listed import open_listed  # an optional package

    return open_listed(settings.mcp.servers, parts)


def _await(home: Home) -> None:
    home.wait_connected(CONNECT_WAIT_S)
    home.wait_quiet(CONNECT_WAIT_S)
    view = home.view()
    print(f"{len(view.entities)} devices in {len(view.areas)} rooms; end with Ctrl-D")


def _typed() -> Iterator[str]:
    """Lines that hold something, prompted for where a person types them."""
    prompt = PROMPT if sys.stdin.isatty() else ""
    while True:
        print(prompt, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _turn(
    home: Home, lines: TypedLines, text: str, say: Say, tools: ListedTools | None = None
) -> None:
    read = lines.read(text, home.view(), home.entities())
    if home.asking and (says_yes(text) or (read.error and read.question is None)):
        lines.forget()
        _tell(home, partial(home.confirm, text, TYPED), say)
        return
    if read.question is not None:
        home.withdraw()  # another question is open now
        print(f"{say(Outcome(read.call, error=read.error)).text}: {read.question.text}")
        return
    if read.error is None or read.guessed:
        print(f"  {read.call.line}")
    if read.error is not None:
        print(say(Outcome(read.call, error=read.error)).line)
        return
    if tools is not None and read.call.name not in FUNCTIONS:
        print(tools.carried_out(read.call))
        return
    act = partial(home.execute, read.call, session=TYPED, resolved=read.resolution)
    _tell(home, act, say)


def _tell(home: Home, act: Callable[[], Outcome], say: Say) -> None:
    """Let the home act, and say what became of it, with each device's own answer."""
    started = time.monotonic()
    outcome = act()
    took_ms = (time.monotonic() - started) * 1000
    for result in outcome.results:
        print(f"  {result.entity_id} {result.status} ({took_ms:.0f} ms)")
    said = say(outcome)
    print(said.line)
    home.desk.replied(said.text)


def _plainly(language: str, outcome: Outcome) -> Said:
    return Said(replies_in(language, outcome)[0])


def _aloud(model: SpeechModel, home: Home, where: Mouth) -> Say:
    def say(outcome: Outcome) -> Said:
        reply = speak(model, home.view(), outcome)
        return Said(reply.text, where.say(reply.pcm))

    return say


def _ring(language: str, chime: Chime) -> None:
    for begun in chime.begun:
        print(f"\n* {replies_in(language, outcome(begun))[0]} *", flush=True)


# --- spoken ----------------------------------------------------------------------------------


def _listen(settings: Settings, parts: ExitStack) -> None:
    unspoken = not_spoken(settings)
    if unspoken is not None:
        print(f"{unspoken}; what is said must be in its language")
    audio = parts.enter_context(PortAudio())
    source, sink = audio.source(settings.audio.input), audio.sink(settings.audio.output)
    parts.callback(source.close)
    model = load_model(settings)
    with _home_and_loop(settings, model) as (home, loop):
        _await(home)
        model.session(home.view()).cancel()
        print(f'say "{settings.wake.phrase}", then a command; end with Ctrl-C')
        loop.run(source, sink)


@contextmanager
def _home_and_loop(settings: Settings, model: SpeechModel) -> Iterator[tuple[Home, VoiceLoop]]:
    """A home that reports its steps to the loop that commands it."""
    home, loop = open_home_and_loop(settings, model, _show, status_topic=None)
    with home:
        try:
            yield home, loop
        finally:
            loop.worker.close(STOP_S)


def _show(event: TimelineEvent) -> None:
    if event.kind == "wake":
        print("…", flush=True)
    elif event.kind == "transcript":
        print(f"{PROMPT}{event.data['text']}", flush=True)
    elif event.kind == "call":
        call = event.data["call"]
        if isinstance(call, Call):
            print(f"  {call.line}", flush=True)
    elif event.kind == "reply_text":
        print(event.data["text"], flush=True)
