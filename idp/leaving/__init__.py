"""Ceasing: sessions, token families, grants and pending flows ended in one step."""
