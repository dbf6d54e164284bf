"""Streaming drivers of a bundle's graphs: sound to codes, ids to logits, codes to sound."""
