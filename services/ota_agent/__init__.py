"""``linnet-ota``: asks for releases, fetches them, lets the voice daemon try them, tells of it.

``agent`` is the loop, ``taking`` which assignments it takes up, ``driver`` works the stages off,
``effects`` what each stage does, ``work`` the thread it is done on, ``voice_link`` the talk with
the voice daemon, ``fleet_status`` what the fleet is told, ``showing`` what the owner is shown,
``desk`` what ``linnet ota`` may ask.
"""
