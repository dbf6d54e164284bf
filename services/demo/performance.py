"""One performance: every recording played, every reply kept, everything judged."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from device.sound.files import write_wav
from services.demo.judge import WORDS_HEARD, Recogniser, differences, faults
from services.demo.live import LiveTimeline
from services.demo.script import Recording, Script, World
from services.demo.stage import Stage
from services.demo.table import Result, Scene, Spoken
from services.settings import Settings
from services.voice.families.base import SpeechModel
from services.voice.turn_log import Turn


class Performance:
    """A script played on a stage; ``run`` once."""

    def __init__(self, script: Script, folder: Path, recogniser: Recogniser, say: TextIO) -> None:
        """
        Args:
            folder: an existing folder, where the replies are written.
            recogniser: judges the replies.
            say: where the time line goes.
        """
        self._script = script
        self._folder = folder
        self._recogniser = recogniser
        self._say = say
        self._live: LiveTimeline | None = None
        self._result = Result()

    def run(self, settings: Settings, model: SpeechModel) -> Result:
        """Start everything, play, stop everything, judge.

        Raises:
            BrokerError: the embedded broker does not come up.
        """
        with Stage(settings, model, self._script.devices) as stage:
            self._print(
                f"a home of {len(stage.view.areas)} rooms and {len(self._script.devices)} devices"
                f" at {stage.address.host}:{stage.address.port}"
            )
            start = stage.world()
            for number, recording in enumerate(self._script.recordings, 1):
                self._print(f"\n{number} {_title(settings, recording)}")
                self._play(stage, number, recording)
            self._judge_home(start, stage.world())
        self._judge_replies()
        return self._result

    def _play(self, stage: Stage, number: int, recording: Recording) -> None:
        before = stage.world()
        with LiveTimeline(self._say, stage.received) as live:
            turns = stage.play(recording.pcm, live.put)
        found = faults(recording, turns)
        if recording.expect is not None:
            found += differences(before, stage.world(), recording.expect)
        spoken = [self._kept(turn, number, recording) for turn in turns]
        self._result.scenes.append(Scene(recording, spoken, found))

    def _kept(self, turn: Turn, number: int, recording: Recording) -> Spoken:
        if not len(turn.reply):
            return Spoken(turn)
        path = self._folder / f"{number}-{Path(recording.name).stem}-{turn.turn_id}.wav"
        write_wav(path, turn.reply)
        return Spoken(turn, path)

    def _judge_home(self, start: World, end: World) -> None:
        """Later turns may not have undone earlier ones, nor anything have moved of itself."""
        asked: World = {}
        for recording in self._script.recordings:
            if recording.expect is None:
                return
            for device, wanted in recording.expect.items():
                asked[device] = {**asked.get(device, {}), **wanted}
        self._result.faults += [f"at the end, {d}" for d in differences(start, end, asked)]

    def _judge_replies(self) -> None:
        """After the last turn, so that the recogniser takes no time from any."""
        for scene in self._result.scenes:
            for spoken in scene.spoken:
                if spoken.wav is None:
                    continue
                spoken.heard = self._recogniser.hear(spoken.turn.reply, spoken.turn.reply_text)
                if spoken.heard.right == 0:
                    scene.faults.append("no word of the reply could be recognised")
        share = self._result.words_heard
        if share is not None and share < WORDS_HEARD:
            self._result.faults.append(f"only {share:.0%} of the replies' words were recognised")

    def _print(self, line: str) -> None:
        print(line, file=self._say, flush=True)


def _title(settings: Settings, recording: Recording) -> str:
    said = f': "{settings.wake.phrase} … {recording.said}"' if recording.said else ""
    return f"{recording.name} ({recording.voice}){said}"
