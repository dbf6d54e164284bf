"""What a publisher is told when something cannot be published like that."""

from __future__ import annotations


class PublishError(Exception):
    """A change of the repository that cannot be made; says what and what to do."""
