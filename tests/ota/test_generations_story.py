"""Any order of installing, staging, switching, going back and collecting leaves things in order."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device.bundle import Bundle
from ota.generations import Generation, GenerationError, Generations
from tests.support.in_memory import MEMORY
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import put, release_of

MARKERS = st.sampled_from("abcd")


class Story(RuleBasedStateMachine):
    """Beside the real directory: which bundle has to be current, and which ran before it."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=MEMORY))
        self.bundles = {m: write_bundle(self.place / m, m) for m in "abcd"}
        self.digests = {m: Bundle.open(path).digest for m, path in self.bundles.items()}
        self.generations = Generations(self.place / "models")
        self.current: str | None = None
        self.before: str | None = None
        self.staged: Generation | None = None
        self.staged_marker: str | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    def ran(self, marker: str) -> None:
        if marker != self.current:
            self.before, self.current = self.current, marker
        if marker == self.staged_marker:
            self.staged = self.staged_marker = None

    @rule(marker=MARKERS)
    def install(self, marker: str) -> None:
        self.generations.install(self.bundles[marker])
        self.ran(marker)

    @rule(marker=MARKERS)
    def stage(self, marker: str) -> None:
        put(self.generations.store, self.bundles[marker])
        self.staged = self.generations.stage(release_of(self.bundles[marker]))
        self.staged_marker = marker

    @precondition(lambda self: self.staged is not None)
    @rule()
    def switch(self) -> None:
        assert self.staged is not None
        assert self.staged_marker is not None
        self.generations.switch(self.staged.name)
        self.ran(self.staged_marker)
        self.staged = self.staged_marker = None

    @rule()
    def rollback(self) -> None:
        if self.before is None:
            return
        self.generations.rollback()
        self.ran(self.before)

    @rule()
    def discard_what_ran_before(self) -> None:
        path = self.generations.previous()
        if path is not None and self.before not in (None, self.current):
            self.generations.discard(path.name)
            if self.before == self.staged_marker:
                self.staged = self.staged_marker = None
            self.before = None

    @rule()
    def collect(self) -> None:
        self.generations.collect()
        held = {p.read_bytes() for g in self.generations.installed() for p in _files(g.path)}
        kept = {p for p in self.generations.store.root.glob("*") if len(p.name) == 64}
        assert {p.read_bytes() for p in kept} == held

    @invariant()
    def what_should_run_is_whole(self) -> None:
        path = self.generations.current()
        found = Bundle.open(path).digest if path else None
        assert found == (self.digests[self.current] if self.current else None)

    @invariant()
    def there_is_a_way_back_and_what_is_staged_is_there(self) -> None:
        installed = self.generations.installed()
        if self.before is not None:
            previous = next(g for g in installed if g.previous)
            assert Bundle.open(previous.path).digest == self.digests[self.before]
        if self.staged is not None:
            assert self.staged.path.is_dir()
        with suppress(GenerationError):  # and the lock is free
            self.generations.discard("999999-000000000000")


def _files(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_file()]


Story.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestAnyOrder = Story.TestCase
