"""The online key is replaced while devices poll: none of them is refused for good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from ota.errors import OtaError, Reason
from ota.layout import Addresses
from ota.repository.keys import make_key
from ota.repository.publisher import Publisher
from ota.repository.rollouts import roll_out, waves_of
from ota.repository.rotation import revoke
from ota.storage import Disk
from ota.trust.client import Trust
from tests.support.published import BASE, CLASS, Desk

Files = dict[str, bytes]


class Watched(Disk):
    """Keeps what the web server would serve after each file that appears there."""

    def __init__(self, public: Path) -> None:
        self._public = public
        self.states = [self._seen()]

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if target.is_relative_to(self._public):
            self.states.append(self._seen())

    def _seen(self) -> Files:
        files = (path for path in self._public.rglob("*") if path.is_file())
        return {str(path.relative_to(self._public)): path.read_bytes() for path in files}


@dataclass
class Passing(FetcherInterface):
    """A server whose files change from ``before`` to ``after`` once it was asked so often."""

    before: Files
    after: Files
    changes_at: int = 0
    asked: int = field(default=0, init=False)

    def _fetch(self, url: str) -> Iterator[bytes]:
        files = self.before if self.asked < self.changes_at else self.after
        self.asked += 1
        try:
            return iter([files[url.removeprefix(f"{BASE}/")]])
        except KeyError:
            raise DownloadHTTPError("404", 404) from None


@dataclass
class Device:
    """What a device keeps, and what came of its last poll."""

    desk: Desk
    home: Path
    root: bytes

    def poll(self, server: FetcherInterface) -> OtaError | None:
        try:
            trust = Trust(
                self.home,
                self.root,
                Addresses.under(BASE),
                fetcher=server,
                now=lambda: self.desk.now,
            )
            trust.refresh()
            rollout = trust.rollout(CLASS)
            assert rollout is not None
            assert trust.release(rollout.target).counter == 1
        except OtaError as error:
            return error
        return None


@dataclass
class Story:
    """A rotation as the web server saw it."""

    desk: Desk
    states: list[Files]

    def device(self, at: int) -> Device:
        """One that polled in this state already."""
        root = self.states[0]["metadata/1.root.json"]
        home = self.desk.homes / f"device-{len(list(self.desk.homes.glob('device-*')))}"
        device = Device(self.desk, home, root)
        device.poll(Passing({}, self.states[at]))
        return device


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """People sign the exchange one by one; the last signatures bring it out, role by role."""
    desk = Desk.team(tmp_path)
    desk.found()
    desk.publish("1.0", "release1", "release2")
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, "1.0", waves_of([(1, 0)], publisher.now))
    new = make_key(desk.root / "keys", "online2")
    disk = Watched(desk.root / "public")
    signers = ((), ("root1", "root2"), ("root3", "target1"), ("target2",))
    for number, names in enumerate(signers):
        keys = [desk.keys[name] for name in names]
        publisher = Publisher(desk.root, now=desk.now, keys=keys, disk=disk)
        with publisher.working():
            if number == 0:
                revoke(publisher, desk.keys["online"].keyid, new)
            else:
                publisher.sign()
    assert desk.waiting() == {}
    assert {"metadata/2.root.json", "metadata/2.targets.json"} <= set(disk.states[-1])
    return Story(desk, disk.states)


def test_a_device_that_polls_after_every_file_is_refused_at_most_until_the_next(
    story: Story,
) -> None:
    """The one gap is between the new root and the first timestamp that its key signed."""
    device = story.device(0)
    refused = []
    for number, state in enumerate(story.states):
        error = device.poll(Passing(state, state))
        if error is not None:
            assert error.reason is Reason.UNTRUSTED
            refused.append(number)
    [gap] = refused
    added = set(story.states[gap]) - set(story.states[gap - 1])
    assert added == {"metadata/2.root.json"}
    assert gap < len(story.states) - 1


def test_a_device_that_slept_through_any_part_of_it_follows(story: Story) -> None:
    last = len(story.states) - 1
    for first in range(len(story.states)):
        device = story.device(first)
        assert device.poll(Passing(story.states[last], story.states[last])) is None, first


def test_a_device_in_the_middle_of_a_poll_keeps_what_it_has_or_follows(story: Story) -> None:
    """The files change between any two of its requests, by one step or by all that are left."""
    last = len(story.states) - 1
    refused = 0
    for first in range(last):
        for then in {first + 1, last}:
            for asked in range(1, 6):
                device = story.device(first)
                server = Passing(story.states[first], story.states[then], asked)
                refused += device.poll(server) is not None
                end = story.states[last]
                assert device.poll(Passing(end, end)) is None, (first, then, asked)
    assert refused  # it does happen, and heals
