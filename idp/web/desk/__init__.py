"""The pages of security and of the insurer's staff: the log, who could, reports, links, organizations, terms."""
