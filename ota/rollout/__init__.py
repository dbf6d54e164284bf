"""Who gets a release, and when: sources of assignments, and what devices tell them."""
