"""One file per section of the applied file: what it wants is compared with what is, and the domain is asked."""
