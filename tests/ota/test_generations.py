"""Installing, going back, and what is refused."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from device.bundle import Bundle, BundleError
from ota.errors import Reason
from ota.generations import GenerationError, Generations
from ota.storage import Disk
from tests.support.tiny_bundle import write_bundle


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "models")


def bundle(tmp_path: Path, marker: str) -> Path:
    return write_bundle(tmp_path / f"bundle-{marker}", marker)


def content(generations: Generations) -> bytes:
    current = generations.current()
    assert current is not None
    return (current / "voice.bin").read_bytes()


def damage(path: Path) -> None:
    """Other bytes of the same length in the same file, as a failing disk leaves them."""
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().swapcase())


def test_nothing_is_installed_at_first(generations: Generations) -> None:
    assert generations.current() is None
    assert generations.installed() == []
    with pytest.raises(GenerationError, match="no earlier whole bundle"):
        generations.rollback()


def test_two_are_kept_and_the_third_sweeps_the_first(
    generations: Generations, tmp_path: Path
) -> None:
    for marker in "abc":
        generations.install(bundle(tmp_path, marker))
    assert content(generations) == b"voice c"
    names = [g.name[:6] for g in generations.installed()]
    assert names == ["000002", "000003"]


def test_going_back_twice_comes_back(generations: Generations, tmp_path: Path) -> None:
    for marker in "ab":
        generations.install(bundle(tmp_path, marker))
    generations.rollback()
    assert content(generations) == b"voice a"
    generations.rollback()
    assert content(generations) == b"voice b"


def test_an_installed_bundle_is_not_copied_again(generations: Generations, tmp_path: Path) -> None:
    first = generations.install(bundle(tmp_path, "a"))
    generations.install(bundle(tmp_path, "b"))
    again = generations.install(bundle(tmp_path, "a"))
    assert again.path == first.path
    assert [g.previous for g in generations.installed()] == [False, True]


def test_a_damaged_generation_is_replaced_and_never_gone_back_to(
    generations: Generations, tmp_path: Path
) -> None:
    damaged = generations.install(bundle(tmp_path, "a"))
    damage(damaged.path / "voice.bin")
    mended = generations.install(bundle(tmp_path, "a"))
    assert mended.path != damaged.path
    Bundle.open(mended.path)
    with pytest.raises(GenerationError, match="no earlier whole bundle"):
        generations.rollback()


def test_only_what_the_manifest_lists_is_copied(generations: Generations, tmp_path: Path) -> None:
    source = bundle(tmp_path, "a")
    (source / "notes.txt").write_text("mine")
    path = generations.install(source).path
    found = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}
    assert found == {"manifest.json", "graphs/lm.onnx", "voice.bin"}


def test_a_damaged_bundle_changes_nothing(generations: Generations, tmp_path: Path) -> None:
    generations.install(bundle(tmp_path, "a"))
    wrong = bundle(tmp_path, "b")
    (wrong / "voice.bin").write_bytes(b"voice x")
    with pytest.raises(BundleError, match=r"voice\.bin"):
        generations.install(wrong)
    assert content(generations) == b"voice a"


def test_two_installs_at_once_are_refused(generations: Generations, tmp_path: Path) -> None:
    generations.install(bundle(tmp_path, "a"))
    with (generations.root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(GenerationError, match="another install"):
            generations.install(bundle(tmp_path, "b"))


def test_a_bundle_that_does_not_fit_the_disk_is_not_begun(tmp_path: Path) -> None:
    class Small(Disk):
        def free(self, path: Path) -> int:
            return 100

    generations = Generations(tmp_path / "models", Small())
    with pytest.raises(GenerationError, match="100 are free") as caught:
        generations.install(bundle(tmp_path, "a"))
    assert caught.value.reason is Reason.NO_ROOM
    assert not (generations.root / "store").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    generations = Generations(tmp_path / "file" / "models")
    with pytest.raises(GenerationError, match=r"file/models.*Not a directory"):
        generations.install(bundle(tmp_path, "a"))


def test_a_link_that_points_elsewhere_is_not_followed(
    generations: Generations, tmp_path: Path
) -> None:
    generations.install(bundle(tmp_path, "a"))
    link = generations.root / "current"
    link.unlink()
    link.symlink_to(bundle(tmp_path, "b"))
    assert generations.current() is None
