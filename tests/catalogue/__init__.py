"""Tests of what the insurer decides for everybody."""
