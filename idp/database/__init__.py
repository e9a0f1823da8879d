"""Connections, the one transaction boundary, and the machines' lane."""

from idp.database.engine import Database, before_commit, of, reading, transaction, unconnected

__all__ = ["Database", "before_commit", "of", "reading", "transaction", "unconnected"]
