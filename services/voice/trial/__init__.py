"""A new speech model on trial beside the one that serves.

``words`` what updater and daemon say to each other, ``desk`` who answers, ``prover`` loads and
tries, ``rehearsal`` one self-test turn in ``home``, ``judgement`` what counts as good.
"""
