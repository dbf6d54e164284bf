"""The ``linnet`` commands, one module each.

A command module holds ``HELP`` (one line), ``EXAMPLE`` (one command line), ``add_arguments`` and
``run``. It imports its engine room inside ``run``, so that ``--help`` answers at once.
"""
