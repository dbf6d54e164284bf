"""GLM-4-Voice (THUDM, arXiv:2412.02612): tokenizer, 9 B language model, flow and vocoder.

Each module's parameters have the names of the published checkpoints, so weights load strictly.
Width and depth come from a config, whose defaults are the published model's.
"""
