"""What a person with a board runs: build, inspect and prove the engines of a bundle."""
