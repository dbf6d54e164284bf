"""What the published weights may be used for. Said on every export and put in every bundle."""

from __future__ import annotations

LICENCE = "glm-4-voice License"
NOTICE = (
    "Built with glm-4. This bundle is made from the weights of GLM-4-Voice by Zhipu AI (tokenizer, "
    "9B language model, decoder) and falls under their licence: free for academic research; "
    "commercial use only after registration at open.bigmodel.cn/mla/form; not sublicensable, "
    "revocable; no military or unlawful use. Whoever passes the bundle on must pass on the licence "
    'and show "Built with glm-4"; a model derived from it must have a name that begins with '
    '"glm-4". The tokenizer derives from whisper-large-v3. Linnet itself is Apache-2.0 and holds '
    "none of these weights."
)
