"""What may be published and rolled out, and what a publication that was cut off leaves."""

from __future__ import annotations

import contextlib
import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from device.bundle import Bundle
from ota.errors import OtaError
from ota.release import Compat, Content, Gate, Release
from ota.repository.errors import PublishError
from ota.repository.export import export_release
from ota.repository.keys import make_key
from ota.repository.publisher import Publisher
from ota.repository.releases import lay_content, make_release, publish_release
from ota.repository.rollouts import current_rollout, pause, roll_out, waves_of
from ota.repository.rotation import revoke
from ota.repository.setup import Founders, found, small_keys
from ota.storage import Disk
from tests.support.published import CLASS, Desk, device_of
from tests.support.tiny_bundle import write_bundle


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One person, 1 of 1 for everything."""
    desk = Desk(tmp_path / "fleet", tmp_path / "homes")
    publisher = Publisher(desk.root, now=desk.now)
    publisher.shelf.make()
    keys = small_keys(publisher)
    online = keys["online"]
    founders = Founders(keys["root"], keys["targets"], online, online, {CLASS: keys["release"]})
    assert found(publisher, founders).waiting == ()
    return desk


def rolled_out(desk: Desk, name: str, **options: bool) -> None:
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, name, waves_of([(1, 0)], desk.now), **options)


def test_counters_grow_by_themselves_and_cannot_be_set_back(desk: Desk) -> None:
    for name in ("1.0", "1.1"):
        desk.publish(name)
    trust = device_of(desk)
    trust.refresh()
    found = [trust.release(f"models/{CLASS}/{name}/release.json") for name in ("1.0", "1.1")]
    assert [release.counter for release in found] == [1, 2]
    bundle = Bundle.open(write_bundle(desk.homes / "b"))
    with desk.publisher() as publisher, pytest.raises(PublishError, match="must be above 2"):
        publish_release(publisher, bundle, _release(publisher, bundle, "1.2", counter=2))


def test_a_release_never_changes(desk: Desk) -> None:
    desk.publish("1.0")
    with pytest.raises(PublishError, match=r"has a release 1\.0 already"):
        desk.publish("1.0")


def test_an_unknown_class_names_those_there_are(desk: Desk) -> None:
    with pytest.raises(PublishError, match=f"there are: {CLASS}"):
        desk.publish("1.0", device_class="toaster")


@pytest.mark.parametrize("name", ["one", "1", "1.0/../2", "1.0.0.0.0"])
def test_a_release_that_devices_would_refuse_is_not_signed(name: str, desk: Desk) -> None:
    with pytest.raises(PublishError, match="release"):
        desk.publish(name)


def test_releases_share_the_files_that_are_the_same(desk: Desk) -> None:
    desk.publish("1.0")
    source = write_bundle(desk.homes / "same", "1.0")
    before = {path.name: path.stat().st_ino for path in (desk.root / "public/content").iterdir()}
    with desk.publisher() as publisher:
        bundle = Bundle.open(source)
        publish_release(publisher, bundle, _release(publisher, bundle, "1.1"))
    after = {path.name: path.stat().st_ino for path in (desk.root / "public/content").iterdir()}
    assert after == before


def test_a_file_that_changes_while_it_is_copied_is_not_published(desk: Desk) -> None:
    source = desk.homes / "file"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(b"other")
    with desk.publisher() as publisher, pytest.raises(PublishError, match="changed"):
        lay_content(publisher.shelf, source, Content(file="file", bytes=5, sha256="0" * 64))
    assert list((desk.root / "public/content").iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_content_that_was_damaged_on_the_server_is_mended_by_the_next_release(
    damage: bytes | None, desk: Desk, tmp_path: Path
) -> None:
    """Other bytes of the right length, cut short, or gone."""
    old = desk.publish("1.0")
    source = write_bundle(desk.homes / "same", "1.0")
    voice = Bundle.open(source).manifest.files["voice"]
    content = desk.root / "public/content" / voice.sha256
    if damage is None:
        content.unlink()
    else:
        content.write_bytes(damage or bytes(voice.bytes))
    with desk.publisher() as publisher:
        with pytest.raises(PublishError, match="publish its bundle again, under a new release"):
            export_release(publisher.shelf, old, tmp_path / "stick")
        bundle = Bundle.open(source)
        publish_release(publisher, bundle, _release(publisher, bundle, "1.1"))
        assert export_release(publisher.shelf, old, tmp_path / "stick").files > 0
    assert content.read_bytes() == (source / voice.file).read_bytes()
    assert not list((desk.root / "public/content").glob(".*"))


def test_an_older_release_is_only_rolled_out_as_a_downgrade(desk: Desk) -> None:
    for name in ("1.0", "1.1"):
        desk.publish(name)
    rolled_out(desk, "1.1")
    with pytest.raises(PublishError, match="--downgrade"):
        rolled_out(desk, "1.0")
    trust = device_of(desk)
    trust.refresh()
    trust.committed(trust.release(f"models/{CLASS}/1.1/release.json"))
    rolled_out(desk, "1.0", downgrade=True)
    trust.refresh()
    rollout = trust.rollout(CLASS)
    assert rollout is not None
    assert rollout.downgrade_to == 1
    trust.accept(trust.release(rollout.target), rollout)


def test_pausing_keeps_the_waves(desk: Desk) -> None:
    desk.publish("1.0")
    rolled_out(desk, "1.0")
    with desk.publisher() as publisher:
        before = current_rollout(publisher, CLASS)
        pause(publisher, CLASS, True)
        paused = current_rollout(publisher, CLASS)
        pause(publisher, CLASS, False)
        after = current_rollout(publisher, CLASS)
    assert before is not None
    assert paused == before.model_copy(update={"paused": True})
    assert after == before
    with desk.publisher() as publisher, pytest.raises(PublishError, match="nothing is being"):
        pause(publisher, "toaster", True)


@pytest.mark.parametrize("shares", [[(0, 1)], [(1.1, 0)], [(0.5, -1)], [(0.5, 2), (0.5, 3)]])
def test_waves_that_do_not_grow_are_refused(shares: list[tuple[float, float]], desk: Desk) -> None:
    desk.publish("1.0")
    with desk.publisher() as publisher, pytest.raises(PublishError):
        roll_out(publisher, CLASS, "1.0", waves_of(shares, desk.now))


def test_a_refresh_keeps_a_quiet_repository_alive(desk: Desk) -> None:
    """Each day for two weeks: rollout, snapshot and timestamp live on; people's roles too."""
    desk.publish("1.0")
    rolled_out(desk, "1.0")
    trust = device_of(desk)
    for _ in range(15):
        desk.now += timedelta(hours=23)
        with desk.publisher() as publisher:
            publisher.refresh()
        trust.refresh()
        assert trust.rollout(CLASS) is not None
    desk.now += timedelta(hours=25)
    with pytest.raises(OtaError, match="expired"):
        trust.refresh()


def test_offline_roles_are_renewed_when_asked(desk: Desk) -> None:
    desk.now += timedelta(days=80)
    with desk.publisher() as publisher:
        publisher.refresh(["root", "targets", CLASS])
        with pytest.raises(PublishError, match="no published role"):
            publisher.refresh(["toaster"])
    root = Metadata.from_file(str(desk.root / "public/metadata/2.root.json"))
    assert root.signed.expires == desk.now + timedelta(days=365)
    desk.now += timedelta(days=80)
    with desk.publisher() as publisher:
        publisher.refresh()
    device_of(desk).refresh()


def test_two_people_do_not_publish_at_once(desk: Desk) -> None:
    with desk.publisher(), pytest.raises(PublishError, match="somebody else"), desk.publisher():
        pass


class FullDisk(Disk):
    """Refuses the write with this number, and all after it."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def write(self, path: Path, data: bytes) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device", str(path))
        super().write(path, data)


def test_a_publication_that_is_cut_off_leaves_the_old_one_and_can_go_on(desk: Desk) -> None:
    desk.publish("1.0")
    trust = device_of(desk)
    for name, writes in enumerate(range(8), start=1):
        bundle = Bundle.open(write_bundle(desk.homes / f"b{name}", f"{name}"))
        publisher = Publisher(desk.root, now=desk.now, disk=FullDisk(writes))
        with publisher.working():
            release = _release(publisher, bundle, f"2.{name}")
            try:
                publish_release(publisher, bundle, release)
                finished = True
            except OSError:
                finished = False
        trust.refresh()
        assert trust.release(f"models/{CLASS}/1.0/release.json").counter == 1
        if finished:
            break
        with desk.publisher() as publisher:
            publisher.sign()
        trust.refresh()
    assert finished
    trust.refresh()
    assert trust.release(release.target).counter == release.counter


def test_a_key_rotation_that_is_cut_off_is_finished_by_signing_again(desk: Desk) -> None:
    target = desk.publish("1.0")
    trust = device_of(desk)
    trust.refresh()
    for writes in itertools.count():
        new = make_key(desk.root / "keys", f"online{writes}")
        publisher = Publisher(desk.root, now=desk.now, disk=FullDisk(writes))
        old = trust.floor().roles["timestamp"].keyids[0]
        finished = False
        with publisher.working(), contextlib.suppress(OSError):
            revoke(publisher, old, new)
            finished = True
        with desk.publisher() as publisher:
            publisher.sign()
        trust.refresh()
        assert trust.release(target).counter == 1
        if finished:
            break
    assert trust.floor().roles["timestamp"].keyids == (new.keyid,)


def _release(
    publisher: Publisher, bundle: Bundle, name: str, counter: int | None = None
) -> Release:
    return make_release(
        publisher, bundle, CLASS, name, compat=Compat(), gate=Gate(), counter=counter, unproved=True
    )
