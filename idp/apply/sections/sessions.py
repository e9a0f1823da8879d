"""Browser sessions of test people, so that a world can be asked about strength (development only)."""

from sqlmodel import col, select

from idp import entropy
from idp.accounts.assurance import AAL1, AAL2, PHR, absolute_limit
from idp.accounts.sessions import hash_of
from idp.accounts.tables import Login, Session
from idp.apply.schema.people import Session as Wanted
from idp.apply.work import Work
from idp.configuration import current

ACR = {"aal1": AAL1, "aal2": AAL2, "phr": PHR}


def apply(work: Work, entries: list[Wanted]) -> None:
    """Record each session once; its cookie's secret is thrown away, so no browser can use it."""
    db = work.db
    for index, entry in enumerate(entries):
        place = ("sessions", index)
        account_id = work.id_of("people", entry.person, (*place, "person"))
        if work.references.find("sessions", entry.ref) is not None:
            continue
        login = db.exec(select(Login).where(col(Login.account_id) == account_id)).first()
        if login is None:
            raise work.wrong(
                (*place, "person"), "has no login; a session needs one (user_name and password, or logins)"
            )
        at = entry.at or work.at
        row = Session(
            token_hash=hash_of(entropy.token()),
            account_id=account_id,
            login_id=login.id,
            partner_id=work.maybe_id("partners", entry.partner, (*place, "partner")),
            acr=ACR[entry.acr],
            amr=entry.amr,
            auth_time=at,
            factor_time=entry.factor_at or (at if entry.acr != "aal1" else None),
            channel=entry.channel,
            last_seen_at=entry.seen_at or at,
            expires_at=entry.until or at + absolute_limit(current(db).clocks, ACR[entry.acr]),
            ended_at=entry.ended,
            ended_because="applied" if entry.ended else None,
        )
        if entry.id:
            row.id = entry.id
        db.add(row)
        db.flush()
        work.references.put("sessions", entry.ref, row.id)
        work.difference.add("added", "sessions", entry.ref)
