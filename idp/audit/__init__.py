"""The record of everything that was decided or changed, and the proof that it is whole."""
