"""Background work: sealing, expiries, keys, mail, cleaning up.

Runs as threads in every worker. Each job takes a lease by one conditional update, so ten workers behave
like one; what a job does is safe without it too (conditional updates, one lock around sealing).
"""

from idp.jobs.runner import Job, Running, start

__all__ = ["Job", "Running", "start"]
