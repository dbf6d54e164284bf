"""What may be believed: the TUF client, and what TUF alone cannot know on a device.

``client.Trust`` is the door. Python-tuf verifies signatures, thresholds, expiry, rollback and
mix-and-match; this package adds durable files, bounded and paced fetching, a clock that is judged
before it judges, and a floor that survives emptied metadata.
"""
