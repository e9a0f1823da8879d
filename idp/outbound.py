"""The one HTTP client: https, time-outs, size limit, no private addresses."""
