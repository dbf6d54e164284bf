"""The home: devices that announce themselves on an MQTT broker, and calls carried out on them.

Bytes become entities in ``discovery`` and ``entities``; a call becomes commands in ``resolver`` and
``commands``; ``executor.Home`` alone does I/O. Nothing here knows what was said.
"""
