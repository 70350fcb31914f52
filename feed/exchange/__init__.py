"""The other side of the wire: a local exchange that speaks the venue's protocol."""
