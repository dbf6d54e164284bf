"""Linnet and the Model Context Protocol: the home as tools for others, others' tools for Linnet.

``tools`` what a source of tools is, ``home_tools`` the home as one, ``server`` and ``web`` how it
is served, ``remote`` the tools of another server, ``addresses`` which servers may be called,
``listed`` those tools by a typed line.
"""
