"""Linnet as a device of Home Assistant: what it announces, tells and obeys over MQTT.

``identity`` who it is, ``entities`` what it announces and tells, ``commands`` what it takes,
``kept`` what its owner set and a restart must not lose, ``link`` the connection.
"""
