"""Single effects of an update, where the story of a whole one would hide what they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ota.machine import Effect, Outcome, Update
from services.ota_agent.effects import Effects
from services.ota_agent.work import Cancel
from tests.support.updated_box import UpdatedBox


def test_a_part_longer_than_it_should_be_is_not_more_than_everything(tmp_path: Path) -> None:
    box, told = UpdatedBox(tmp_path), []
    (tmp_path / "ota").mkdir()
    update = Update(action="one", target=box.publish("new", 1))
    means = replace(
        box.means(box.agent),
        fetched=lambda done, total: told.append((done, total)),
        fetch=lambda update, release, cancel, arrived: arrived(10_000),
    )
    effects = Effects(means)
    effects.do(Effect.JUDGE, update, Cancel())
    for content in means.accepted.read(update.target).contents:
        box.generations.store.append(content.sha256, b"?" * 10 * content.bytes)
    assert effects.do(Effect.FETCH, update, Cancel()).outcome is Outcome.DONE
    assert len(told) == 2
    assert all(done == total > 0 for done, total in told)


def test_the_bundle_that_serves_is_kept_under_a_newer_release_without_a_trial(
    tmp_path: Path,
) -> None:
    """As it comes when the last good bundle is published again, with a higher counter."""
    box = UpdatedBox(tmp_path)
    for counter in (1, 2):
        box.want(box.publish("new", counter, gate={"soak_turns": 0}), action=str(counter))
        serving = box.current
        box.run()
    assert box.source.ends == [("committed", "")] * 2
    assert (box.current, box.voice.serving) == (serving, serving)
    assert len(box.voice.gates) == 1
    assert box.trusted.running() == 2, "the one before is refused from now on"
    assert box.journal.read().running.endswith("/1.2/release.json")
