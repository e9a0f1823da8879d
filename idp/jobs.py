"""Background work; each job takes a lease, so ten workers behave like one."""
