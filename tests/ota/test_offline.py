"""A stick is believed as far as its signatures go, and reaches nothing but its own files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bundle import Bundle
from ota.errors import OtaError, Reason, TransferError, TrustError
from ota.fetching import fetch_release
from ota.generations import Generations
from ota.layout import content_path
from ota.offline import (
    OFFLINE,
    DirectoryRepository,
    OfflineFetcher,
    OfflineSource,
    open_repository,
)
from ota.release import Compat, Content, Gate, Release
from ota.repository.errors import PublishError
from ota.repository.export import export_release
from ota.repository.publisher import Publisher
from ota.repository.releases import make_release, publish_release
from ota.repository.rollouts import roll_out
from ota.repository.setup import Founders, found, small_keys
from ota.store import Store
from ota.transfer import Cancel
from ota.trust.client import Trust
from ota.ustar import ArchiveError, index
from services.cli import main
from tests.support.tiny_bundle import write_bundle

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
CLASS = "pc-x86-64"
TARGET = f"models/{CLASS}/1.0/release.json"


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    made = Publisher(tmp_path / "fleet", now=NOW)
    made.shelf.make()
    keys = small_keys(made)
    root, targets, online = keys["root"], keys["targets"], keys["online"]
    found(made, Founders(root, targets, online, online, {CLASS: keys["release"]}))
    bundle = Bundle.open(write_bundle(tmp_path / "bundle"))
    release = make_release(made, bundle, CLASS, "1.0", compat=Compat(), gate=Gate(), unproved=True)
    publish_release(made, bundle, release)
    roll_out(made, CLASS, "1.0", ())
    return made


@pytest.fixture(params=["stick", "stick.tar"])
def stick(request: pytest.FixtureRequest, publisher: Publisher, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    export_release(publisher.shelf, TARGET, path)
    return path


def installed(
    stick: Path, publisher: Publisher, home: Path, after: timedelta = timedelta()
) -> Release:
    """What a device does with a stick."""
    bootstrap = (publisher.shelf.metadata / "1.root.json").read_bytes()
    generations = Generations(home / "models")
    with open_repository(stick) as repository:
        trust = Trust(
            home / "trust",
            bootstrap,
            OFFLINE,
            fetcher=OfflineFetcher(repository),
            now=lambda: NOW + after,
        )
        trust.refresh()
        rollout = trust.rollout(CLASS)
        assert rollout is not None
        release = trust.release(rollout.target)
        fetch_release(release, generations.store, OfflineSource(repository))
        generations.switch(generations.stage(release).name)
    return release


def test_a_release_arrives_from_a_stick(stick: Path, publisher: Publisher, tmp_path: Path) -> None:
    assert installed(stick, publisher, tmp_path / "home").release == "1.0"
    current = Generations(tmp_path / "home/models").current()
    assert current is not None
    Bundle.open(current)


def test_an_old_stick_is_refused(stick: Path, publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(TrustError) as caught:
        installed(stick, publisher, tmp_path / "home", after=timedelta(days=30))
    assert caught.value.reason in (Reason.UNTRUSTED, Reason.CLOCK)


def test_a_stick_made_to_last_outlives_what_is_online(publisher: Publisher, tmp_path: Path) -> None:
    with publisher.lasting(timedelta(days=30)):
        export_release(publisher.shelf, TARGET, tmp_path / "stick")
    assert installed(tmp_path / "stick", publisher, tmp_path / "home", after=timedelta(days=20))
    online = publisher.shelf.current()
    assert online["timestamp"].signed.expires == NOW + timedelta(days=1)
    assert online["rollout"].signed.expires == NOW + timedelta(days=7)
    with pytest.raises(TrustError):
        installed(publisher.shelf.public, publisher, tmp_path / "late", after=timedelta(days=20))


def test_a_stick_is_too_old_for_a_device_that_was_online_since(
    publisher: Publisher, tmp_path: Path
) -> None:
    with publisher.lasting(timedelta(days=30)):
        export_release(publisher.shelf, TARGET, tmp_path / "stick")
    installed(publisher.shelf.public, publisher, tmp_path / "home")
    with pytest.raises(TrustError) as caught:
        installed(tmp_path / "stick", publisher, tmp_path / "home")
    assert caught.value.reason is Reason.UNTRUSTED


def test_a_stick_of_another_fleet_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    other = Publisher(tmp_path / "other", now=NOW)
    other.shelf.make()
    keys = small_keys(other)
    root, targets, online = keys["root"], keys["targets"], keys["online"]
    found(other, Founders(root, targets, online, online, {CLASS: keys["release"]}))
    with pytest.raises(TrustError):
        installed(other.shelf.public, publisher, tmp_path / "home")


@pytest.mark.parametrize("wrong", [b"", b"x" * 10, b"y" * 10_000])
def test_a_changed_content_is_refused(publisher: Publisher, tmp_path: Path, wrong: bytes) -> None:
    stick = tmp_path / "stick"
    export_release(publisher.shelf, TARGET, stick)
    victim = next((stick / "content").iterdir())
    victim.write_bytes(wrong)
    with pytest.raises(TrustError) as caught:
        installed(stick, publisher, tmp_path / "home")
    assert caught.value.reason is Reason.WRONG_CONTENT
    assert Generations(tmp_path / "home/models").installed() == []


def test_a_link_on_a_stick_is_not_followed(publisher: Publisher, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    export_release(publisher.shelf, TARGET, stick)
    (stick / "content").rename(tmp_path / "content")
    (stick / "content").symlink_to(tmp_path / "content")
    with pytest.raises(OtaError):
        installed(stick, publisher, tmp_path / "home")
    (tmp_path / "secret").write_text("not the stick's")
    (stick / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(stick / "pipe")
    repository = DirectoryRepository(stick)
    for name in ("../secret", "/etc/passwd", "", ".", "a/../../secret", "metadata", "pipe"):
        assert repository.open(name) is None
    with pytest.raises(OSError, match="symbolic links"):
        repository.open("link")


def test_a_stick_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(TransferError), open_repository(tmp_path / "nothing"):
        pass


def test_a_copy_can_be_cancelled(stick: Path, tmp_path: Path, publisher: Publisher) -> None:
    victim = next(p for p in publisher.shelf.content.iterdir())
    cancel = Cancel()
    cancel.cancel()
    pinned = Content(file="x", bytes=victim.stat().st_size, sha256=victim.name)
    with open_repository(stick) as repository, pytest.raises(TransferError) as caught:
        OfflineSource(repository, cancel).fetch(pinned, Store(tmp_path / "store"))
    assert caught.value.reason is Reason.CANCELLED


def test_only_what_is_published_and_whole_is_exported(publisher: Publisher, tmp_path: Path) -> None:
    for target in (TARGET.replace("1.0", "2.0"), TARGET.replace(CLASS, "other")):
        with pytest.raises(PublishError, match="published"):
            export_release(publisher.shelf, target, tmp_path / "stick")
    (tmp_path / "here").mkdir()
    with pytest.raises(PublishError, match="already"):
        export_release(publisher.shelf, TARGET, tmp_path / "here")
    next(publisher.shelf.content.iterdir()).unlink()
    with pytest.raises(PublishError, match="publish its bundle again"):
        export_release(publisher.shelf, TARGET, tmp_path / "stick")
    assert not (tmp_path / "stick").exists()


def test_a_stick_that_was_packed_by_hand_works(publisher: Publisher, tmp_path: Path) -> None:
    export_release(publisher.shelf, TARGET, tmp_path / "stick")
    packed = tmp_path / "packed.tar"
    subprocess.run(["tar", "cf", packed, "-C", tmp_path / "stick", "."], check=True)
    assert installed(packed, publisher, tmp_path / "home").release == "1.0"


def test_the_command_writes_a_stick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--repository", str(tmp_path / "fleet"), "--json"]
    bundle = str(write_bundle(tmp_path / "bundle"))
    assert main(["fleet", "init", "--class", CLASS, *place]) == 0
    release = ["--class", CLASS, "--release", "1.0"]
    assert main(["fleet", "publish", bundle, "--unproved", *release, *place]) == 0
    capsys.readouterr()
    out = str(tmp_path / "stick.tar")
    assert main(["fleet", "export", out, "--days", "14", *release, *place]) == 0
    said = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(said["until"]) > datetime.now(timezone.utc) + timedelta(days=13)
    assert said["target"] == TARGET
    with open_repository(Path(out)) as repository:
        assert repository.open("metadata/timestamp.json") is not None


def archive(*members: tarfile.TarInfo, form: int = tarfile.USTAR_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as made:
        for member in members:
            made.addfile(member, io.BytesIO(bytes(member.size)))
    return stream.getvalue()


def member(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.type, found.linkname = size, kind, link
    return found


def read(data: bytes) -> set[str]:
    return set(index(io.BytesIO(data), len(data)))


def test_what_people_pack_with_tar_is_read() -> None:
    name = content_path("a" * 64)
    long = f"targets/models/{'c' * 40}/2026.3/{'b' * 64}.release.json"
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT):
        members = [member("./", kind=tarfile.DIRTYPE), member(f"./{name}", 700), member(long, 9)]
        assert read(archive(*members, form=form)) == {name, long}


@pytest.mark.parametrize(
    "bad",
    [
        member("../out", 5),
        member("/etc/passwd", 5),
        member("a/../../out", 5),
        member(".hidden", 5),
        member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member("link", kind=tarfile.LNKTYPE, link="x"),
        member("device", kind=tarfile.CHRTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("sparse", 512, kind=tarfile.GNUTYPE_SPARSE),
    ],
    ids=lambda found: f"{found.name} {found.type!r}",
)
def test_an_archive_that_leads_astray_is_refused(bad: tarfile.TarInfo) -> None:
    with pytest.raises(ArchiveError):
        read(archive(member("metadata/1.root.json", 5), bad))


def test_an_archive_that_lies_about_sizes_or_goes_on_for_ever_is_refused() -> None:
    whole = archive(member("a", 5000))
    with pytest.raises(ArchiveError, match="too early"):
        read(whole[:3000])
    with pytest.raises(ArchiveError, match="too early"):
        read(whole[:-10240] if len(whole) > 10240 else whole[:5632])
    with pytest.raises(ArchiveError, match="twice"):
        read(archive(member("a", 5), member("a", 5)))
    with pytest.raises(ArchiveError, match="no plain file"):
        read(archive(member("/".join(["x" * 99] * 9)), form=tarfile.GNU_FORMAT))
    with pytest.raises(ArchiveError, match="no plain file"):
        read(archive(member("ä" * 60), form=tarfile.PAX_FORMAT))
    many = archive(*(member(f"f{n}") for n in range(8193)))
    with pytest.raises(ArchiveError, match="more than"):
        read(many)


@given(st.data())
def test_any_damage_to_an_archive_is_an_error_or_another_archive(data: st.DataObject) -> None:
    made = bytearray(archive(member("metadata/1.root.json", 300), member("content/x", 700)))
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(0, 1535))] = data.draw(st.integers(0, 255))
    try:
        found = index(io.BytesIO(bytes(made)), len(made))
    except ArchiveError:
        return
    for name, extent in found.items():
        assert not name.startswith("/")
        assert ".." not in name.split("/")
        assert 0 <= extent.offset <= extent.offset + extent.size <= len(made)
