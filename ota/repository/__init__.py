"""The publisher's side: a fleet's repository as a plain static directory, and who signs what.

public/   what is served: metadata, signed targets, content (see ``ota.layout``)
staged/   metadata that waits for signatures, one file for each role
keys/     public keys by name; private ones only where they may sign by themselves
"""
