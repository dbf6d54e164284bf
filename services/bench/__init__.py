"""What ``linnet bench`` plays, and how it is timed."""
