"""Sharing signals, scores and cases: what security staff do. `reports` takes a person's word of misuse (T-38)."""
