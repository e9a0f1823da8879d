"""Organisations: registries, places, continuity, credentialing."""
