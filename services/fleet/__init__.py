"""What ``linnet fleet`` does, one module for each action."""
