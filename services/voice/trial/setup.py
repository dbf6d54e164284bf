"""From a running box to one that can try another generation."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec

from device.sound.frames import Pcm
from services.bundles import bundle_version
from services.evaluate.figures import edit_distance
from services.evaluate.recogniser import Recogniser
from services.home.clock import instant
from services.home.desk import Desk
from services.local_socket import SocketError, SocketServer
from services.settings import Settings
from services.voice.trial.desk import TrialDesk
from services.voice.trial.exchange import Exchange
from services.voice.trial.opening import open_generation
from services.voice.trial.prover import Prover, Told

log = logging.getLogger(__name__)


def open_desk(
    settings: Settings, exchange: Exchange, timers: Desk, makeshift: bool, opened: ExitStack
) -> TrialDesk:
    """A desk, and its socket where updates are switched on; ``opened`` closes both."""
    open_ = partial(open_generation, settings)
    desk = TrialDesk(
        settings,
        exchange,
        Prover(settings, exchange, open_, judge_of_speech()),
        open_=open_,
        due_s=lambda: due_s(timers),
        safe_mode=makeshift,
        model_version=bundle_version(settings),
    )
    opened.callback(desk.close)
    if settings.ota.repository is not None and settings.model.family != "cascade":
        try:
            opened.callback(SocketServer(settings.ota.voice_socket, desk.answer).close)
        except SocketError as error:
            # To be heard matters more than to be updated.
            log.error("the updater cannot reach this daemon", extra={"reason": str(error)})
    return desk


def due_s(desk: Desk) -> float | None:
    """Seconds until the next timer or alarm rings; None where none is set."""
    wall_s, zone = desk.clocks.wall(), desk.clocks.zone()
    running = (one for one in desk.timers.all() if not one.paused)
    times = [float(desk.timers.remaining_s(one)) for one in running]
    times += [instant(alarm.due, zone) - wall_s for alarm in desk.alarms.all()]
    if desk.ringer.sounding:
        times.append(0.0)
    return max(0.0, min(times)) if times else None


def judge_of_speech() -> Told | None:
    """The recogniser that judges replies in evaluation, too; None where it is not installed."""
    if find_spec("pocketsphinx") is None:
        return None

    def told(reply: Pcm, text: str) -> tuple[int, int]:
        words = text.split()
        # A second to build: only when it is wanted.
        return edit_distance(words, Recogniser().hear(reply).split()), len(words)

    return told
