"""The security desk: search the log, open a record, export, see the proof (ui.md 3.12, 3.15)."""

from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock
from idp.accounts import humans
from idp.audit import checkpoint, export, log, proofs, search
from idp.audit.events import VOCABULARY, Event
from idp.audit.forms import FORMS
from idp.audit.search import Filters
from idp.database import of
from idp.errors import Invalid, NotEntitled, NotFound
from idp.notices import saying
from idp.web.boundary import Service, TheService, Transaction, service_of
from idp.web.desk import proving, reading, saved, shown, then
from idp.web.forms import TheForm
from idp.web.guards import Acting, SignedIn, insurer_staff
from idp.web.pages import go, page

router = APIRouter()
MaySearch = Annotated[Acting, Depends(insurer_staff("audit.search"))]
MayExport = Annotated[Acting, Depends(insurer_staff("audit.export"))]
AT_ONCE = 20_000
"""A log of at most so many records is verified whenever the proof page opens; a larger one when asked."""
OUTCOMES = search.KNOWN


@router.get("/security", include_in_schema=False)
def home(request: Request, person: SignedIn, db: Transaction) -> Response:
    """Lead to where this person's work at the desk begins: the search, or the cases of who may not search."""
    try:
        insurer_staff("audit.search")(person, db)
    except NotEntitled:
        insurer_staff("security.case.work")(person, db)
        return go(request, "/security/cases")
    return go(request, "/security/search")


@router.get("/security/search", include_in_schema=False)
def search_page(request: Request, staff: MaySearch, db: Transaction) -> Response:
    """Show what the address asks for; the search itself is recorded (security.md 79)."""
    given = _query(request)
    cursor = given.pop("cursor", None)
    filters = search.read(given, reader=humans.same(db, staff.visitor.account.id))
    found = search.find(db, filters, cursor)
    details = {"filters": filters.given(), "shown": len(found.rows), "further": cursor is not None}
    log.record(db, Event("audit.log.searched", details=details))
    return _results(request, db, staff, filters, found)


@router.post("/security/search", include_in_schema=False)
def search_form(request: Request, staff: MaySearch, db: Transaction, form: TheForm) -> Response:
    """Turn what was typed into ids, so that no name stands in an address, and go there."""
    zone = ZoneInfo(service_of(request).settings.time_zone)
    typed = {name: form[name].strip() for name in form if form[name].strip()}
    try:
        filters = search.read(reading.understood(db, typed, zone))
    except Invalid as refusal:
        refusal.page = "audit/search.html"
        choices = [
            (label, shown.address(Filters(person=who))) for who, label in reading.people(db, typed.get("person", ""))
        ]
        refusal.context = _facts(db, staff, Filters(), None) | {"typed": typed, "choices": choices}
        raise
    return go(request, shown.address(filters))


@router.get("/security/search.jsonl", include_in_schema=False)
def export_lines(request: Request, staff: MayExport, db: Transaction) -> Response:
    """Export what the address asks for with its proofs, for `verifier.py`."""
    return _export(request, db, staff, "jsonl")


@router.get("/security/search.{kind}", include_in_schema=False)
def export_form(request: Request, staff: MayExport, db: Transaction, kind: str) -> Response:
    """Export what the address asks for in a form others read."""
    if kind not in FORMS:
        raise NotFound("There is no such form of an export.")
    return _export(request, db, staff, kind)


@router.get("/security/records/{n}", include_in_schema=False)
def record_page(request: Request, staff: MaySearch, db: Transaction, n: str) -> Response:
    """Show one record: every field, its person, its proof, its neighbours."""
    if not (n.isascii() and n.isdigit() and len(n) < 19):
        raise NotFound("There is no record with this number.")
    found = search.record(db, int(n), reader=humans.same(db, staff.visitor.account.id))
    log.record(db, Event("audit.record.viewed", details={"record": int(n), "personal": found.personal is not None}))
    said = {name: value for name, value in found.said.items() if name not in ("personal", "details", "auth")}
    return page(
        request,
        "audit/record.html",
        acting=shown.acting(staff),
        number=int(n),
        found=found,
        title=VOCABULARY.get(found.row.event, found.row.event),
        said=said,
        names=shown.names(db, [found.row, *shown.mentioned(found.said)]),
        links=shown.links(found.said, found.row.address_hash),
        why=then.why("security", found.said, found.row.at),
        proof=proofs.inclusion(db, int(n)),
    )


@router.get("/security/log", include_in_schema=False)
def log_page(request: Request, staff: MaySearch, service: TheService, db: Transaction) -> Response:
    """Say whether the log is whole, what was checked and what not."""
    return _proof(request, service, staff, db, asked=False)


@router.post("/security/log", include_in_schema=False)
def verify_now(request: Request, staff: MaySearch, service: TheService, db: Transaction, form: TheForm) -> Response:
    """Verify the whole log now; a large one in the background, for this request holds a transaction."""
    return _proof(request, service, staff, db, asked=True)


@router.get("/security/log/key.pem", include_in_schema=False)
def public_key(request: Request, staff: MaySearch, service: TheService) -> Response:
    """Give out the public key that checkpoints are verified with."""
    key = checkpoint.load_key(service.settings.audit_key_file).public_key()
    return Response(checkpoint.public_pem(key), media_type="application/x-pem-file")


def _query(request: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Invalid(fields={name: "Send it once."})
        given[name] = value
    return given


def _export(request: Request, db: Db, staff: Acting, kind: str) -> Response:
    filters = search.read(_query(request), reader=humans.same(db, staff.visitor.account.id))
    log.record(db, Event("audit.log.exported", details={"filters": filters.given(), "form": kind}))
    database = service_of(request).database
    form = FORMS.get(kind)
    lines = export.lines(database, filters, form) if form else export.jsonl(database, filters)
    name = f"log-{clock.now():%Y%m%d-%H%M%S}.{form.suffix if form else kind}"
    return StreamingResponse(
        lines,
        media_type=form.media_type if form else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _results(request: Request, db: Db, staff: Acting, filters: Filters, found: search.Page) -> Response:
    return page(request, "audit/search.html", typed={}, fields={}, **_facts(db, staff, filters, found))


def _facts(db: Db, staff: Acting, filters: Filters, found: search.Page | None) -> dict[str, Any]:
    """Return what the search page shows."""
    given = filters.given()
    now = clock.now()
    said = _moments(filters, of(db).settings.time_zone)
    chips = [
        {
            "label": shown.LABELS[name],
            "value": said.get(name, value),
            "without": shown.address(Filters(**{k: v for k, v in shown.given(filters).items() if k != name})),
        }
        for name, value in given.items()
    ]
    return {
        "acting": shown.acting(staff),
        "saved": saved.of(db, staff.visitor.account.id),
        "tail": shown.address(filters, "/security/tail"),
        "given": given,
        "said": said,
        "zone_now": saying.zone_name(now, of(db).settings.time_zone),
        "chips": chips,
        "labels": shown.LABELS,
        "events": VOCABULARY,
        "outcomes": OUTCOMES,
        "found": found,
        "names": shown.names(db, found.rows if found else []),
        "counted": search.COUNTED,
        "narrow": lambda name, value: shown.address(Filters(**{**shown.given(filters), name: value})),
        "newer": shown.address(filters, cursor=found.newer) if found and found.newer else None,
        "older": shown.address(filters, cursor=found.older) if found and found.older else None,
        "jsonl": shown.address(filters, "/security/search.jsonl"),
        "forms": [(form.title, shown.address(filters, f"/security/search.{kind}")) for kind, form in FORMS.items()],
        "last_day": shown.address(
            Filters(**{**shown.given(filters), "since": now - timedelta(hours=24), "until": None})
        ),
        "last_week": shown.address(
            Filters(**{**shown.given(filters), "since": now - timedelta(days=7), "until": None})
        ),
    }


def _moments(filters: Filters, zone: str) -> dict[str, str]:
    """Say the times a search is bound to as people read them, and as the form takes them."""
    said = {}
    for name in ("since", "until"):
        moment = getattr(filters, name)
        if moment is not None:
            said[name] = saying.moment(moment, zone)
            said[f"{name}_typed"] = f"{moment.astimezone(ZoneInfo(zone)):%m/%d/%Y %H:%M}"
    return said


def _proof(request: Request, service: Service, staff: Acting, db: Db, *, asked: bool) -> Response:
    size = int(db.execute(text("SELECT count(*) FROM audit_record")).scalar_one())
    newest = db.execute(
        text("SELECT number, size, note, at FROM audit_checkpoint ORDER BY number DESC LIMIT 1")
    ).first()
    found = service.parts.setdefault("log_proof", proving.Proof(service.database))
    if size <= AT_ONCE:
        found.verify(db)
    elif asked:
        found.verify_aside()
    return page(
        request,
        "audit/log.html",
        acting=shown.acting(staff),
        found=found,
        size=size,
        newest=newest,
        newest_at=clock.from_micros(newest.at) if newest else None,
        copy=service.settings.audit_copy is not None,
    )
