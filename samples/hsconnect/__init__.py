"""HSConnect: the Medicare Advantage portal; the same person, but grants of its own line (O-09)."""
