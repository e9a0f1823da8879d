"""A clinic simulator: months of realistic work with planted sharers and takeovers, from a seed.

`parameters.py` says what a world is like, `people.py` builds clinics, staff and devices, `work.py` makes a day's
innocent work, `sharers.py` and `strangers.py` what was planted, `world.py` puts it in order of time. No public data set
is labelled for sharing; this one is invented: it shows how the detector behaves, not how common anything is.
"""
