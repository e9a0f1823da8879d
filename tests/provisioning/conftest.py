"""Fixtures of this folder: the world of the sign-in tests."""

from tests.sign_in_world import filling, world

__all__ = ["filling", "world"]
