"""Fixtures of this folder: the world of the sign-in tests."""

from tests.sign_in_world import world

__all__ = ["world"]
