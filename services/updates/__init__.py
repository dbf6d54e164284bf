"""What ``linnet ota`` does, one module for each action."""
