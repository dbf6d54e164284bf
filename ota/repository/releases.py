"""Publishing a release: a bundle's files by content, and the signed file that pins them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from tuf.api.metadata import Signed, TargetFile

from device.bundle import MANIFEST_NAME, Bundle
from ota.release import MAX_RELEASE_BYTES, Compat, Content, Gate, Release, class_of
from ota.repository.errors import PublishError
from ota.repository.gate_check import check_gate
from ota.repository.publisher import Outcome, Publisher
from ota.repository.roles import classes
from ota.repository.shelf import AnyMetadata, Shelf, targets_of
from ota.store import matches


def contents_of(bundle: Bundle) -> tuple[Content, ...]:
    """Every file of a verified bundle, each once."""
    manifest = (bundle.root / MANIFEST_NAME).read_bytes()
    found = {
        MANIFEST_NAME: Content(file=MANIFEST_NAME, bytes=len(manifest), sha256=bundle.digest),
        **{
            one.file: Content(file=one.file, bytes=one.bytes, sha256=one.sha256)
            for one in bundle.manifest.stored()
        },
    }
    return tuple(found.values())


def lay_content(shelf: Shelf, source: Path, content: Content) -> bool:
    """Copy a file to where its hash says; whether it was not there yet, or damaged.

    Raises:
        PublishError: it is not the file of that hash.
    """
    target, draft = shelf.content / content.sha256, shelf.content / f".draft-{content.sha256}"
    if matches(target, content):
        return False
    shelf.disk.remove(draft)
    shelf.disk.copy(source, draft)
    if not matches(draft, content):
        shelf.disk.remove(draft)
        raise PublishError(f"{source}: changed while it was published; try again")
    shelf.disk.rename(draft, target)
    return True


def publish_release(publisher: Publisher, bundle: Bundle, release: Release) -> Outcome:
    """Lay out a release's files, stage its signed file, sign and publish as far as possible.

    Raises:
        PublishError: the class is unknown, or the release or its counter is not new.
    """
    metadata = class_metadata(publisher, release.device_class)
    _check_new(metadata, release)
    for content in release.contents:
        lay_content(publisher.shelf, bundle.root / content.file, content)
    publisher.shelf.disk.sync_directory(publisher.shelf.content)
    data = release.model_dump_json(indent=1).encode()
    if len(data) > MAX_RELEASE_BYTES:
        raise PublishError(f"{release.target}: larger than {MAX_RELEASE_BYTES} bytes")
    info = TargetFile.from_data(release.target, data, ["sha256"])
    info.unrecognized_fields["custom"] = {
        "counter": release.counter,
        "compat": release.compat.model_dump(mode="json"),
    }
    publisher.shelf.put_target(release.target, info.hashes["sha256"], data)

    def add(signed: Signed) -> None:
        targets_of(signed).targets[release.target] = info

    publisher.draft(release.device_class, add)
    return publisher.sign()


def make_release(
    publisher: Publisher,
    bundle: Bundle,
    device_class: str,
    name: str,
    *,
    compat: Compat,
    gate: Gate,
    notes: str = "",
    counter: int | None = None,
    unproved: bool = False,
) -> Release:
    """The release file of a bundle, without deltas; its counter is the next one unless told.

    Args:
        unproved: a gate that proves next to nothing is meant.

    Raises:
        PublishError: the class is unknown, the release or its counter is not new, something does
            not fit together, or its gate is none.
    """
    check_gate(gate, unproved=unproved)
    metadata = class_metadata(publisher, device_class)
    newest = max(counters(metadata).values(), default=0)
    try:
        made = Release(
            device_class=device_class,
            release=name,
            counter=newest + 1 if counter is None else counter,
            compat=compat,
            gate=gate,
            contents=contents_of(bundle),
            notes=notes,
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "release"
        raise PublishError(f"{where}: {fault['msg']}") from error
    _check_new(metadata, made)
    return made


def class_metadata(publisher: Publisher, device_class: str) -> AnyMetadata:
    """A class's metadata as they will be when all that is staged is out.

    Raises:
        PublishError: there is no such class.
    """
    world = publisher.world()
    known = classes(targets_of(world["targets"].signed)) if "targets" in world else []
    if device_class not in known or device_class not in world:
        names = ", ".join(known) or "none"
        raise PublishError(f"no device class {device_class!r} here; there are: {names}")
    return world[device_class]


def counters(metadata: AnyMetadata) -> dict[str, int]:
    """Counters of a class's releases, by target path."""
    targets = targets_of(metadata.signed).targets
    return {
        path: int((info.custom or {}).get("counter", 0))
        for path, info in targets.items()
        if class_of(path)
    }


def releases(shelf: Shelf, metadata: AnyMetadata) -> list[Release]:
    """A class's releases, newest first, read from what was published of them."""
    targets = targets_of(metadata.signed).targets
    newest_first = sorted(counters(metadata).items(), key=lambda item: -item[1])
    return [
        Release.parse(shelf.target(path, targets[path].hashes["sha256"]), path)
        for path, _ in newest_first
    ]


def _check_new(metadata: AnyMetadata, release: Release) -> None:
    known = counters(metadata)
    if release.target in known:
        raise PublishError(
            f"{release.device_class} has a release {release.release} already; a release never "
            "changes, give this one another name"
        )
    if known and release.counter <= max(known.values()):
        raise PublishError(f"counter {release.counter} must be above {max(known.values())}")
