"""Bytes to events and back: the language of the venue, and the wire."""
