"""Practitioners and organisations from the public NPPES file: layout, lines, rows, storing, the run."""
