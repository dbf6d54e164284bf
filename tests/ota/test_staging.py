"""A release becomes a generation that does not run yet; then it runs, or goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.bundle import MANIFEST_NAME, Bundle
from ota.errors import Reason, TrustError
from ota.generations import GenerationError, Generations
from ota.release import Release
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import content_of, put, release_of


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "models")


def bundle(tmp_path: Path, marker: str) -> Path:
    return write_bundle(tmp_path / f"bundle-{marker}", marker)


def contents(generations: Generations) -> set[str]:
    return {p.name for p in generations.store.root.iterdir() if len(p.name) == 64}


def test_a_staged_release_waits_until_it_is_switched_to(
    generations: Generations, tmp_path: Path
) -> None:
    old = generations.install(bundle(tmp_path, "a"))
    staged = generations.stage(put(generations.store, bundle(tmp_path, "b")))
    assert staged.staged
    assert not staged.current
    assert generations.current() == old.path
    running = generations.switch(staged.name)
    assert running.current
    assert not running.staged
    assert generations.previous() == old.path
    assert generations.rollback().path == old.path


def test_what_runs_already_is_not_staged(generations: Generations, tmp_path: Path) -> None:
    running = generations.install(bundle(tmp_path, "a"))
    assert generations.stage(put(generations.store, bundle(tmp_path, "a"))).name == running.name
    assert not (generations.root / "staged").is_symlink()


def test_what_two_releases_share_is_kept_once(generations: Generations, tmp_path: Path) -> None:
    one, two = bundle(tmp_path, "a"), bundle(tmp_path, "b")
    generations.install(one)
    shared = generations.store.path(content_of(one / "voice.bin").sha256)
    manifest = (one / MANIFEST_NAME).read_text("utf-8").replace("A test, a.", "A test, again.")
    (one / MANIFEST_NAME).write_text(manifest, "utf-8")
    again = generations.stage(put(generations.store, one))
    assert (again.path / "voice.bin").samefile(shared)
    assert shared.stat().st_nlink == 3
    generations.install(two)


def test_an_install_leaves_a_staged_generation_and_a_download_alone(
    generations: Generations, tmp_path: Path
) -> None:
    staged = generations.stage(put(generations.store, bundle(tmp_path, "a")))
    generations.store.append("f" * 64, b"half a download")
    generations.store.want(["f" * 64])
    for marker in "bcd":
        generations.install(bundle(tmp_path, marker))
    assert generations.switch(staged.name).current
    assert generations.store.gathered("f" * 64) == 15


def test_what_nobody_needs_is_collected(generations: Generations, tmp_path: Path) -> None:
    for marker in "abc":
        generations.install(bundle(tmp_path, marker))
    held = {p for g in generations.installed() for p in g.path.rglob("*") if p.is_file()}
    assert contents(generations) == {content_of(p).sha256 for p in held}
    assert len(generations.installed()) == 2


def test_a_generation_that_failed_its_trial_is_discarded(
    generations: Generations, tmp_path: Path
) -> None:
    generations.install(bundle(tmp_path, "a"))
    bad = generations.stage(put(generations.store, bundle(tmp_path, "b")))
    generations.switch(bad.name)
    with pytest.raises(GenerationError, match="in use"):
        generations.discard(bad.name)
    generations.rollback()
    generations.discard(bad.name)
    generations.collect()
    assert [g.current for g in generations.installed()] == [True]
    assert generations.previous() is None
    with pytest.raises(GenerationError, match="no earlier whole bundle"):
        generations.rollback()
    with pytest.raises(GenerationError, match="stage again"):
        generations.switch(bad.name)


def test_staging_again_finds_the_same_generation(generations: Generations, tmp_path: Path) -> None:
    release = put(generations.store, bundle(tmp_path, "a"))
    assert generations.stage(release).path == generations.stage(release).path


def test_a_rollback_never_ends_in_a_generation_that_did_not_run(
    generations: Generations, tmp_path: Path
) -> None:
    generations.install(bundle(tmp_path, "a"))
    generations.stage(put(generations.store, bundle(tmp_path, "b")))
    with pytest.raises(GenerationError, match="no earlier whole bundle"):
        generations.rollback()


def refused(generations: Generations, release: Release) -> Reason:
    with pytest.raises((TrustError, GenerationError)) as caught:
        generations.stage(release)
    assert generations.installed() == []
    return caught.value.reason


def test_a_missing_content_is_named(generations: Generations, tmp_path: Path) -> None:
    release = put(generations.store, bundle(tmp_path, "a"))
    generations.store.remove(release.contents[1].sha256)
    with pytest.raises(GenerationError, match=r"graphs/lm\.onnx: its content is not here"):
        generations.stage(release)


def test_a_content_damaged_on_disk_is_removed_to_be_fetched_again(
    generations: Generations, tmp_path: Path
) -> None:
    release = put(generations.store, bundle(tmp_path, "a"))
    held = generations.store.path(release.contents[1].sha256)
    held.chmod(0o644)
    held.write_bytes(held.read_bytes().swapcase())
    assert refused(generations, release) is Reason.WRONG_CONTENT
    assert not generations.store.has(release.contents[1])
    put(generations.store, bundle(tmp_path, "a"))
    Bundle.open(generations.stage(release).path)


def test_a_release_that_is_not_its_manifest_is_refused(
    generations: Generations, tmp_path: Path
) -> None:
    source = bundle(tmp_path, "a")
    release = put(generations.store, source)
    (tmp_path / "extra").write_text("not in the manifest")
    extra = content_of(tmp_path / "extra", "extra.bin")
    generations.store.adopt(tmp_path / "extra", extra)
    more = release.model_copy(update={"contents": (*release.contents, extra)})
    assert refused(generations, more) is Reason.BAD_RELEASE
    fewer = release.model_copy(update={"contents": release.contents[:-1]})
    assert refused(generations, fewer) is Reason.BAD_RELEASE
    manifest = tmp_path / "manifest"
    manifest.write_text("{}")
    wrong = content_of(manifest, MANIFEST_NAME)
    generations.store.adopt(manifest, wrong)
    none = release.model_copy(update={"contents": (wrong, *release.contents[1:])})
    assert refused(generations, none) is Reason.BAD_RELEASE


@pytest.mark.parametrize(
    "name", ["../out", "/etc/passwd", "a/../../out", ".hidden", "a//b", "a\\b"]
)
def test_a_release_cannot_name_a_file_outside(name: str, tmp_path: Path) -> None:
    fields = release_of(bundle(tmp_path, "a")).model_dump()
    fields["contents"][1]["file"] = name
    with pytest.raises(ValueError, match="relative path of plain names"):
        Release.model_validate(fields)


def test_a_link_in_the_place_of_a_content_does_not_become_part_of_a_generation(
    generations: Generations, tmp_path: Path
) -> None:
    release = put(generations.store, bundle(tmp_path, "a"))
    held = generations.store.path(release.contents[1].sha256)
    outside = tmp_path / "outside"
    outside.write_bytes(held.read_bytes())
    held.unlink()
    held.symlink_to(outside)
    assert refused(generations, release) is Reason.DISK
