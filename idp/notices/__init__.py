"""Mail to people, through one outbox."""
