"""What can be wrong with a bundle, an engine or the sound, as one small tree.

Every error says three things: *where* (file, part or tensor), *what* is wrong and *what to do*.
None of them carries tensor contents, so they may be logged.
"""

from __future__ import annotations


class DeviceError(Exception):
    """Base of everything the box itself can complain about.

    Args:
        where: the file, part or tensor the complaint is about.
        problem: what is wrong, in words.
        remedy: what a person can do about it.
    """

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}; {remedy}")
        self.where = where
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[DeviceError], tuple[str, str, str]]:
        """Workers in other processes send their errors home."""
        return type(self), (self.where, self.problem, self.remedy)


class BundleError(DeviceError):
    """A bundle that must not be run."""


class BadManifest(BundleError):
    """manifest.json is missing, too large, not JSON, or says something it may not say."""


class MissingPart(BundleError):
    """A file or part that was asked for, or that the manifest lists, is not there."""


class WrongHash(BundleError):
    """A file is not the one that the manifest was written for."""


class WrongShape(BundleError):
    """A graph's inputs or outputs are not those that the manifest declares."""


class RuntimeTooOld(BundleError):
    """The bundle was made for a newer Linnet than this one."""


class EngineError(DeviceError):
    """An engine that cannot be opened or run."""


class EngineUnavailable(EngineError):
    """The backend that was asked for does not work on this machine."""


class EngineLoadError(EngineError):
    """The backend refused the graph."""


class BadFeed(EngineError):
    """What was fed does not fit the engine's inputs."""


class EngineRunError(EngineError):
    """The backend failed while running."""


class CudaError(EngineError):
    """The accelerator refused what was asked of it."""


class StateError(EngineError):
    """A cache that is full, or rows that do not fit it."""


class AudioError(DeviceError):
    """A recording, microphone or loudspeaker that cannot be used."""
