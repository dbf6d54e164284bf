"""Single effects of an update, where the story of a whole one would hide what they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.machine import Effect, Outcome, Update
from services.ota_agent.effects import Effects
from services.ota_agent.work import Cancel
from tests.support.updated_box import UpdatedBox, VirtualCancel


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


def at_the_gate(box: UpdatedBox) -> tuple[Effects, Update]:
    """A release that is here and waits to be tried."""
    effects = Effects(box.means(box.agent))
    (box.folder / "ota").mkdir()
    update = Update(action="one", target=box.publish("new", 1))
    for effect in (Effect.JUDGE, Effect.FETCH, Effect.STAGE):
        done = effects.do(effect, update, Cancel())
        update = update.model_copy(update=dict(done.learnt))
    return effects, update


@pytest.mark.parametrize("how", ["silent", "busy"])
def test_a_gate_waits_for_a_voice_daemon_that_restarts_or_is_at_another(
    tmp_path: Path, how: str
) -> None:
    box = UpdatedBox(tmp_path)
    effects, update = at_the_gate(box)
    setattr(box.voice, how, True)

    def a_minute_later() -> None:
        if box.clock.now >= 60:
            setattr(box.voice, how, False)

    box.clock.meanwhile = a_minute_later
    done = effects.do(Effect.PROVE, update, VirtualCancel(box.clock, 3600))
    assert (done.outcome, len(box.voice.gates)) == (Outcome.DONE, 1)


def test_a_voice_daemon_that_never_begins_a_gate_is_not_waited_for_for_ever(
    tmp_path: Path,
) -> None:
    box = UpdatedBox(tmp_path)
    effects, update = at_the_gate(box)
    box.voice.silent = True
    done = effects.do(Effect.PROVE, update, VirtualCancel(box.clock, 3600))
    assert (done.outcome, done.reason) == (Outcome.FAILED, Reason.CRASH)
    assert 300 < box.clock.now < 310
