"""What the service counts; `/metrics` shows it in Prometheus' form. Labels are closed sets, never ids."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("idp_requests", "Answers given", ("method", "route", "status"))
SECONDS = Histogram(
    "idp_request_seconds",
    "Time to answer, from the first byte in to the last byte out",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
EVENTS = Counter("idp_events", "Audit records written, those of undone transactions included", ("event", "outcome"))
GROUP = Histogram(
    "idp_group_commit_records",
    "Audit records committed together by the machines' lane",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
SEALED = Counter("idp_audit_sealed", "Records sealed by this worker")
SEAL_LAG = Histogram(
    "idp_audit_seal_lag_seconds",
    "From a record's writing to its signed checkpoint, oldest of each batch",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0),
)
REFUSED = Counter("idp_audit_refused", "Records found in the log that this service did not write")
DAMAGED = Gauge("idp_audit_damaged", "1 while the stored tree is not the one that was signed: sealing has stopped")
JOBS = Counter("idp_job_runs", "Runs of background jobs", ("job", "outcome"))
