"""Registering by oneself, page by page (RU-2)."""
