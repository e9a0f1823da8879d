"""Apply a file: one transaction, sections in an order in which each finds what it refers to."""

from pathlib import Path

from idp.apply import source
from idp.apply.difference import Difference
from idp.apply.schema.document import Document, parse
from idp.accounts.tables import Account
from idp.apply.sections import clients, grants, partners, people, providers, sessions, settings, terms, upstreams
from idp.apply.work import References, Work
from idp.audit import origin
from idp.database import Database, transaction
from idp.entitlements.tables import Delegation
from idp.federation.tables import Upstream
from idp.partners.tables import Partner
from idp.providers.tables import Provider


class _DryRun(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back."""


def apply_file(database: Database, path: Path, *, dry_run: bool = False) -> Difference:
    """Bring the database to what the file says; raise FileWrong, and change nothing, when the file has a mistake.

    A dry run does the same work and rolls it back, so what it tells is what would happen.
    """
    read = source.read(path)
    document = parse(read, development=database.settings.development)
    difference = Difference()
    try:
        with origin.acting_as("operator"), transaction(database) as db:
            work = Work(db, read, References(db), difference)
            _sections(work, document)
            work.references.write()
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return difference


TABLES = {
    "people": Account,
    "providers": Provider,
    "partners": Partner,
    "upstreams": Upstream,
    "delegations": Delegation,
}
"""Sections whose entries may also be named by id, where they were not made by apply."""


def _sections(work: Work, document: Document) -> None:
    work.tables = dict(TABLES)
    settings.apply(work, document.settings)
    terms.apply(work, document.terms)
    partners.apply(work, document.partners)
    clients.apply(work, document.clients)
    clients.apply_servers(work, document.resource_servers)
    upstreams.apply(work, document.upstreams)
    providers.apply(work, document.providers)
    grants.apply_delegations(work, document.providers)
    people.apply(work, document.people)
    providers.apply_practitioners(work, document.providers)
    grants.apply_appointments(work, document.appointments)
    grants.apply(work, document.grants)
    sessions.apply(work, document.sessions)
