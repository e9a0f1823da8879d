"""People: one account each, their ways in, whom they act for; test people's terms and attestation."""

from idp.accounts import attestations, linking, local_logins, passwords, people, second_factor, terms
from idp.accounts.tables import Account, Attestation, Login, TermsAcceptance
from idp.apply import past
from idp.apply.difference import differing
from idp.apply.schema.people import Affiliation as WantedAffiliation
from idp.apply.schema.people import Attested, Person
from idp.apply.sections import companies
from idp.apply.sections.terms import find as find_terms
from idp.apply.source import Place
from idp.apply.work import Work, rows
from idp.configuration import current
from idp.database import of
from idp.errors import Conflict
from idp.federation.tables import Upstream
from idp.leaving import people as leaving
from idp.providers import affiliations, places
from idp.providers.tables import Affiliation

FACTS = {"name": "display_name", "given_name": "given_name", "family_name": "family_name", "locale": "locale"}


def apply(work: Work, entries: list[Person]) -> None:
    """Create and change people; what a test person accepted and attested is recorded in development."""
    for index, entry in enumerate(entries):
        place = ("people", index)
        with work.entry(place):
            known = work.references.find("people", entry.ref, Account)
            account_id = _create(work, entry) if known is None else known
            new = known is None
            if not new:
                _change(work, entry, account_id)
            _ways_in(work, entry, account_id, place, new=new)
            for number, affiliation in _in_time(entry.affiliations, work):
                _affiliation(work, entry.ref, account_id, affiliation, (*place, "affiliations", number), new=new)
            for number, company in enumerate(entry.companies):
                companies.apply(work, entry.ref, account_id, company, (*place, "companies", number))
            _terms(work, entry, account_id, place, new=new)
            _attested(work, entry, account_id, new=new)


def _in_time(affiliations: list[WantedAffiliation], work: Work) -> list[tuple[int, WantedAffiliation]]:
    """Return the entries with their numbers, earliest first: one has ended before the next begins."""
    return sorted(enumerate(affiliations), key=lambda pair: pair[1].starts or work.at)


def _create(work: Work, entry: Person) -> str:
    made = people.create(
        work.db,
        display_name=entry.name,
        given_name=entry.given_name,
        family_name=entry.family_name,
        locale=entry.locale,
        emails=entry.emails,
        emails_verified=True,
        ial=past.now(entry, "ial", work.at),
        status=past.now(entry, "status", work.at),
        account_id=entry.id,
    )
    past.was(work.db, made, entry, "status", "ial", new=True)
    work.references.put("people", entry.ref, made.id)
    work.difference.add("added", "people", entry.ref)
    return made.id


def _change(work: Work, entry: Person, account_id: str) -> None:
    db = work.db
    row = people.find(db, account_id)
    said = entry.model_fields_set
    wanted = {column: getattr(entry, name) for name, column in FACTS.items() if name in said}
    if "ial" in said:
        wanted["ial"] = entry.ial
    changed = differing(wanted, {name: getattr(row, name) for name in wanted})
    if changed:
        people.correct(db, account_id, **wanted)
    known = {contact.email for contact in people.contacts(db, account_id)}
    for email in entry.emails:
        if people.normalised_email(email) not in known:
            people.add_contact(db, account_id, email, verified=True)
            changed["emails"] = ("without it", email)
    if "status" in said and entry.status != row.status:
        changed["status"] = (row.status, entry.status)
        _status(work, account_id, row.status, entry.status)
    if past.was(db, row, entry, "status", "ial", new=False):
        changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("people", entry.ref, changed)


def _status(work: Work, account_id: str, before: str, wanted: str) -> None:
    db = work.db
    if wanted == "suspended":
        leaving.suspend(db, account_id, because="applied", by="operator")
    elif wanted == "ceased":
        leaving.cease(db, account_id, because="applied", by="operator")
    elif wanted == "active" and before == "suspended":
        leaving.reinstate(db, account_id, because="applied", by="operator")
    elif wanted == "active":
        people.activate(db, account_id)
    else:
        raise Conflict(f"An account does not go from {before} to {wanted}.")


def _ways_in(work: Work, entry: Person, account_id: str, place: Place, *, new: bool) -> None:
    db = work.db
    local = None if new else local_logins.of_account(db, account_id)
    if entry.user_name and local is None and entry.password is not None:
        hashed = work.hashes.get(entry.ref)
        if hashed is None:  # known before, without a password of ours
            text = work.reveal(entry.password, (*place, "password"))
            hashed = passwords.hashed(of(db).ring, text, current(db).passwords)
        local_logins.add(db, account_id, entry.user_name, hashed)
        if not new:
            work.difference.change("people", entry.ref, {"user_name": (None, entry.user_name)})
    elif entry.user_name and local and local[0].subject != local_logins.normalised_name(entry.user_name):
        raise work.wrong((*place, "user_name"), "this person has another user name; it does not change")
    elif entry.user_name and local is None:
        raise work.wrong((*place, "user_name"), "needs `password`, the initial one")
    if entry.totp is not None:
        _totp(work, entry, account_id, place, new=new)
    for number, login in enumerate(entry.logins):
        at = (*place, "logins", number)
        upstream_id = work.id_of("upstreams", login.upstream, (*at, "upstream"))
        upstream = db.get(Upstream, upstream_id)
        assert upstream is not None
        live = rows(
            db,
            Login,
            Login.issuer == upstream.issuer,
            Login.subject == login.subject,
            Login.ended_at == None,  # noqa: E711
        )
        if live and live[0].account_id != account_id:
            raise work.wrong((*at, "subject"), "this login belongs to another person")
        if not live:
            linking.link(
                db,
                account_id,
                upstream_id=upstream.id,
                issuer=upstream.issuer,
                subject=login.subject,
                organization=upstream.display_name,
            )
            if not new:
                work.difference.add("added", "people", f"{entry.ref}: login at {login.upstream}")


def _totp(work: Work, entry: Person, account_id: str, place: Place, *, new: bool) -> None:
    assert entry.totp is not None
    has = not new and second_factor.has(work.db, account_id)
    try:
        key = entry.totp.reveal(work.source.folder)
    except ValueError as problem:
        if not has:
            raise work.wrong((*place, "totp"), str(problem)) from None
        work.difference.add("kept", "people", entry.ref, because=f"its authenticator stays: {problem}")
        return
    before = {factor.id for factor in second_factor.live(work.db, account_id)} if has else set()
    if second_factor.install(work.db, account_id, key).id not in before and not new:
        work.difference.change("people", entry.ref, {"totp": ("(others)", "(one more)")})


def _affiliation(work: Work, ref: str, account_id: str, entry: WantedAffiliation, place: Place, *, new: bool) -> None:
    db, key = work.db, f"{ref}: acts for {entry.provider}"
    provider_id = work.id_of("providers", entry.provider, (*place, "provider"))
    reference = f"{ref} at {entry.provider}" + (f" from {entry.starts.isoformat()}" if entry.starts else "")
    known = work.references.find("affiliations", reference)
    # Nobody acts for anyone yet who was made a moment ago; an organisation named twice is the domain's Conflict.
    row = db.get(Affiliation, known) if known else None if new else affiliations.live(db, account_id, provider_id)
    made = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        row = affiliations.approve(
            db,
            account_id=account_id,
            provider_id=provider_id,
            capacity=entry.capacity,
            by=entry.approved_by or "operator",
            partner_id=work.maybe_id("partners", entry.partner, (*place, "partner")),
            locations=places.named(db, provider_id, entry.locations),
            starts_at=entry.starts or work.at,
            ends_at=entry.until,
        )
        if not new:
            work.difference.add("added", "people", key)
    elif row.ended_at is not None:
        if not entry.ended:
            work.difference.add("kept", "people", key, because=f"ended by {row.ended_by}; it is not given again")
        return
    else:
        if row.ends_at != entry.until:
            before = row.ends_at
            affiliations.set_end(db, row, entry.until, by="operator")
            work.difference.change("people", key, {"until": (before, entry.until)})
        wanted = places.named(db, provider_id, entry.locations)
        if affiliations.set_places(db, row, wanted, by="operator"):
            work.difference.change("people", key, {"locations": ("others", entry.locations)})
    if known is None:
        work.references.put("affiliations", reference, row.id)
    if entry.ended:
        work.end(
            row,
            entry.ended,
            new=made,
            by="operator",
            reason=entry.end_reason,
            now=lambda: leaving.leave(db, account_id, provider_id, by="operator", reason=entry.end_reason),
        )
        if not new:
            work.difference.add("ended", "people", key)


def _terms(work: Work, entry: Person, account_id: str, place: Place, *, new: bool) -> None:
    db = work.db
    if entry.terms is None:
        return
    if entry.terms == "accepted":
        if new or terms.unaccepted(db, account_id, work.at):
            documents = work.remember("terms in force", lambda: [d.id for d in terms.current(db, work.at)])
            terms.accept(db, account_id, documents)
            if not new:
                work.difference.add("added", "people", f"{entry.ref}: terms accepted")
        return
    for number, accepted in enumerate(entry.terms):
        document = find_terms(db, accepted.kind, accepted.version)
        if document is None:
            raise work.wrong((*place, "terms", number, "version"), "no such version in `terms`")
        if rows(
            db, TermsAcceptance, TermsAcceptance.account_id == account_id, TermsAcceptance.document_id == document.id
        ):
            continue
        terms.accept(db, account_id, [document.id])
        if accepted.at:
            past.accepted(db, account_id, document.id, accepted.at)
        if not new:
            work.difference.add("added", "people", f"{entry.ref}: terms {accepted.kind} {accepted.version} accepted")


def _attested(work: Work, entry: Person, account_id: str, *, new: bool) -> None:
    if entry.attested is None:
        return
    for said in entry.attested if isinstance(entry.attested, list) else [entry.attested]:
        _one_attestation(work, entry, Attested() if said is True else said, account_id, new=new)


def _one_attestation(work: Work, entry: Person, said: Attested, account_id: str, *, new: bool) -> None:
    if not new:
        there = rows(work.db, Attestation, Attestation.account_id == account_id)
        if any(row.attested_at == said.at or (said.at is None and row.expires_at > work.at) for row in there):
            return
        work.difference.add("added", "people", f"{entry.ref}: attested")
    made = attestations.attest(work.db, account_id, capacity=said.capacity, principal=said.principal)
    if said.at or said.until:
        past.attested(work.db, made, said.at or work.at, said.until)
