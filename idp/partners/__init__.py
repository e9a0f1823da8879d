"""Outside organisations: affiliates, third parties, administrators; their standing."""
