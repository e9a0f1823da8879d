"""Figures of single parts, printed by `make bench`."""
