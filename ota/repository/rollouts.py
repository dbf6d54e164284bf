"""Signing roll-outs: which release a class should reach, in which waves, or not at present."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import ValidationError
from tuf.api.metadata import Signed, TargetFile

from ota.release import ReleaseName, release_target
from ota.repository.errors import PublishError
from ota.repository.publisher import Outcome, Publisher
from ota.repository.releases import class_metadata, counters
from ota.repository.roles import ROLLOUT
from ota.repository.shelf import AnyMetadata, Shelf, targets_of
from ota.rollout.rollout import Rollout, Wave, rollout_target, until_bucket


def current_rollout(publisher: Publisher, device_class: str) -> Rollout | None:
    """The class's roll-out as it is published or staged; None where there is none."""
    return _rollout(publisher.shelf, publisher.world(), device_class)


def published_rollout(shelf: Shelf, device_class: str) -> Rollout:
    """The class's roll-out as devices find it; to be read beside whoever publishes.

    Raises:
        PublishError: there is none, or no repository.
    """
    found = _rollout(shelf, shelf.current(), device_class)
    if found is None:
        raise PublishError(f"{shelf.root}: nothing is being rolled out to {device_class!r}")
    return found


def roll_out(
    publisher: Publisher,
    device_class: str,
    release: ReleaseName,
    waves: Iterable[Wave],
    *,
    gated: bool = False,
    downgrade: bool = False,
    minimum_app: str = "0.0",
) -> Outcome:
    """Roll a published release out.

    Args:
        gated: a guard may open further waves.
        downgrade: allow devices to go back to it from a higher counter.

    Raises:
        PublishError: the release is not published, or is older and ``downgrade`` was not said.
    """
    known = counters(class_metadata(publisher, device_class))
    target = release_target(device_class, release)
    published = publisher.shelf.current().get(device_class)
    if published is None or target not in targets_of(published.signed).targets:
        raise PublishError(f"{device_class} has no published release {release}")
    counter, newest = known[target], _reached(publisher, device_class)
    if counter < newest and not downgrade:
        raise PublishError(
            f"release {release} (counter {counter}) is older than the one rolled out before "
            f"({newest}); say --downgrade if devices should go back"
        )
    return _put(
        publisher,
        device_class,
        {
            "release": release,
            "counter": counter,
            "waves": tuple(waves),
            "gated": gated,
            "downgrade_to": counter if downgrade else None,
            "minimum_app": minimum_app,
        },
    )


def pause(publisher: Publisher, device_class: str, paused: bool) -> Outcome:
    """Stop a roll-out, or let it go on. Raises PublishError where there is none."""
    rollout = current_rollout(publisher, device_class)
    if rollout is None:
        raise PublishError(f"nothing is being rolled out to {device_class!r}")
    return _put(publisher, device_class, {**dict(rollout), "paused": paused})


def revise(publisher: Publisher, rollout: Rollout) -> Outcome:
    """Sign a class's roll-out as a guard has changed it. Raises PublishError."""
    return _put(publisher, rollout.device_class, dict(rollout))


def waves_of(shares: Iterable[tuple[float, float]], begin: datetime) -> tuple[Wave, ...]:
    """Waves from (share of the fleet from 0 to 1, hours after ``begin``).

    Raises:
        PublishError: a share that is none.
    """
    found = []
    for share, hours in shares:
        if not (0 < share <= 1 and 0 <= hours < 24 * 366):
            raise PublishError(f"a wave of {share:.0%} after {hours} h is none")
        start = begin + timedelta(hours=hours)
        found.append(Wave(until_bucket=until_bucket(share), start=start))
    return tuple(found)


def _rollout(shelf: Shelf, world: Mapping[str, AnyMetadata], device_class: str) -> Rollout | None:
    path, metadata = rollout_target(device_class), world.get(ROLLOUT)
    info = targets_of(metadata.signed).targets.get(path) if metadata else None
    if info is None:
        return None
    return Rollout.parse(shelf.target(path, info.hashes["sha256"]), device_class)


def _reached(publisher: Publisher, device_class: str) -> int:
    rollout = current_rollout(publisher, device_class)
    return rollout.counter if rollout else 0


def _put(publisher: Publisher, device_class: str, fields: dict[str, object]) -> Outcome:
    issued = publisher.now.replace(microsecond=0)
    try:
        rollout = Rollout.model_validate(
            {**fields, "device_class": device_class, "issued": issued}, strict=False
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "roll-out"
        raise PublishError(f"{where}: {fault['msg']}") from error
    path = rollout_target(device_class)
    data = rollout.model_dump_json(indent=1).encode()
    info = TargetFile.from_data(path, data, ["sha256"])
    publisher.shelf.put_target(path, info.hashes["sha256"], data)

    def add(signed: Signed) -> None:
        targets_of(signed).targets[path] = info

    publisher.draft(ROLLOUT, add)
    return publisher.sign()
