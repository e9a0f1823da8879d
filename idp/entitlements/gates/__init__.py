"""One condition of the decision per file, in the order of DECIDED_BY."""
