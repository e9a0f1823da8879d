"""Sharing signals, scores and cases: what security staff do."""
