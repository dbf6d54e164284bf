"""``linnet-ota``: asks for releases, fetches them, lets the voice daemon try them, tells of it.

``daemon`` the loop, ``driver`` works the stages off, ``effects`` what each stage does, ``link`` to
the voice daemon, ``status`` what the fleet is told, ``desk`` what ``linnet ota`` may ask.
"""
