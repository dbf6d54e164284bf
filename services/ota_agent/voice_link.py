"""The updater's side of the talk with the voice daemon."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ota.release import Gate
from services.local_socket import SocketError, ask
from services.settings import Settings
from services.voice.trial.words import Look, Prove, Serve, Tell, VoiceState


def safe_mode(settings: Settings) -> bool | None:
    """Whether another bundle answers, because the chosen one does not load.

    None where the voice daemon does not say: it is not running, or updates are switched off.
    """
    if settings.ota.repository is None:
        return None
    try:
        return VoiceLink(settings.ota.voice_socket).look().safe_mode
    except SocketError:
        return None


class VoiceLink:
    """Each call asks once; ``SocketError`` where nobody answers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self) -> VoiceState:
        """How the voice daemon is."""
        return self._ask(Look())

    def prove(self, generation: str, gate: Gate) -> VoiceState:
        """Begin a gate; ``look`` shows its proof."""
        return self._ask(Prove(generation=generation, gate=gate))

    def serve(self, generation: str) -> VoiceState:
        """Let it answer from the next turn on; ``look`` shows when it does."""
        return self._ask(Serve(generation=generation))

    def tell(self, told: Tell) -> VoiceState:
        """What the owner may be shown."""
        return self._ask(told)

    def _ask(self, question: Look | Prove | Serve | Tell) -> VoiceState:
        answer = ask(self._path, question.model_dump(mode="json"))
        try:
            return VoiceState.model_validate(answer)
        except ValidationError:
            raise SocketError(f"{self._path}: an answer of another version") from None
