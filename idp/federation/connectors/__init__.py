"""One file per protocol; each module is found by its name, which is the upstream's kind."""
