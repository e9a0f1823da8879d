"""One origin of grants per file."""
