"""The job that feeds the detector: sealed records in the order of the log's tree, each exactly once.

A round reads what comes next and everything the detector may touch, lets it look, and then saves in one transaction:
how far it has read, what is remembered, scores, and what follows from a line that was crossed. Whoever moves the place
first wins; a round that lost is forgotten whole. Only what was sealed is read: a record nobody of ours wrote is not.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
import structlog
from sqlalchemy import CursorResult, bindparam, text
from sqlmodel import Session as Db

from idp import clock
from idp.audit.seal import BATCH
from idp.database import Database, of, reading, transaction
from idp.sharing.events import Act, Report
from idp.sharing.live import stored, telling, translating
from idp.sharing.live.networks import File, Networks
from idp.sharing.live.stored import Known
from idp.sharing.live.translating import SHREDDED, Cleared, Record
from idp.sharing.live.watcher import Watcher
from idp.sharing.state import DeviceMemory, Memory

MOST = 400
"""Records in one round: bounds how long the write takes."""
FIRST = timedelta(days=60)
"""How far back the detector begins when it is new to a log."""
_PLACE = text("SELECT leaf, generation FROM sharing_place WHERE id = 1")
_END = text("SELECT first_index + count FROM audit_batch ORDER BY first_index DESC LIMIT 1")
_START = text("SELECT min(first_index) FROM audit_batch WHERE created_at >= :since")
_BEGIN = text(
    "INSERT INTO sharing_place (id, leaf, generation, created_at) VALUES (1, :leaf, 0, :now) ON CONFLICT DO NOTHING"
)
_BATCHES = text(
    "SELECT first_index, count, seqs, created_at FROM audit_batch "
    "WHERE first_index > :before AND first_index + count > :place ORDER BY first_index LIMIT :most"
)
_COLUMNS = (
    "seq, at, event, outcome, actor_id, account_id, provider_id, entitlement, client_id, session_id, address_hash, "
    "reason, leaf"
)
_RECORDS = text(f"SELECT {_COLUMNS} FROM audit_record WHERE seq IN :seqs").bindparams(  # noqa: S608 - our own names
    bindparam("seqs", expanding=True)
)
_RECENT = text(
    f"SELECT {_COLUMNS} FROM audit_record WHERE seq IN :seqs AND at > :since"  # noqa: S608 - our own names
).bindparams(bindparam("seqs", expanding=True))
_MOVE = text(
    "UPDATE sharing_place SET leaf = :to, at = CASE WHEN at > :at THEN at ELSE :at END "
    "WHERE id = 1 AND leaf = :since AND generation = :generation"
)
_DAY = 86_400_000_000
_files: dict[Database, File] = {}
_log = structlog.get_logger("idp.sharing")


@dataclass(frozen=True, slots=True)
class Part:
    """The next records of the log, and where reading goes on after them."""

    since: int
    to: int
    generation: int
    records: Sequence[Record]


def run(database: Database) -> bool:
    """Do one round; return whether more records wait."""
    file = _files.setdefault(database, File(database.settings.networks_file))
    places, problem = file.current(), file.problem
    if problem:
        _log.error("networks_file_unreadable", why=problem)
    with reading(database) as db:
        part = _next(db)
        if part is None:
            return False
        watcher, known, networks_before = _looked(db, part, places)
    return _saved(database, part, watcher, known, networks_before)


def begin(database: Database) -> None:
    """Set the place where a detector that is new to this log begins."""
    with transaction(database) as db:
        start = db.execute(_START, {"since": clock.micros(clock.now() - FIRST)}).scalar()
        db.execute(_BEGIN, {"leaf": start or 0, "now": clock.micros(clock.now())})


def _next(db: Db) -> Part | None:
    place = db.execute(_PLACE).first()
    if place is None:
        begin(of(db))
        return None  # the next round begins
    end = db.execute(_END).scalar()
    since, generation = int(place[0]), int(place[1])
    if end is None or end <= since:
        return None
    seqs: list[int] = []
    to, oldest = since, None
    rows = db.execute(_BATCHES, {"before": since - BATCH, "place": since, "most": 50}).all()
    for first, count, packed, created in rows:
        skip = max(0, since - first)
        of_batch = struct.unpack(f">{count}Q", bytes(packed))[skip : skip + MOST - len(seqs)]
        oldest = created if oldest is None else oldest
        seqs += of_batch
        to = first + skip + len(of_batch)
        if len(seqs) >= MOST:
            break
    return Part(since, to, generation, _records(db, seqs, oldest or 0))


def _records(db: Db, seqs: list[int], sealed: int) -> list[Record]:
    """Read records in order of time. Their month is known but for one that waited long to be sealed."""
    rows = db.execute(_RECENT, {"seqs": seqs, "since": sealed - _DAY}).all()
    missing = set(seqs) - {row[0] for row in rows}
    if missing:  # pruned, or from before
        rows = [*rows, *db.execute(_RECORDS, {"seqs": sorted(missing)}).all()]
    return sorted((Record(*row) for row in rows), key=lambda one: (one.at, one.seq))


def _looked(db: Db, part: Part, places: Networks) -> tuple[Watcher, dict[str, Known], dict[str, bytes]]:
    """Load what these records touch and let the detector look at them."""
    asked = [one for one in part.records if one.about]
    known = stored.load_accounts(db, {one.about for one in asked if one.about})
    found = translating.around(db, asked, known, places)
    told = [(one, act) for one in asked if (act := translating.act_of(one, known[one.about or ""], found)) is not None]
    acts = [(one, act) for one, act in told if not isinstance(act, Cleared)]
    devices = {act.device for _, act in acts if hasattr(act, "device")}
    networks = {act.network for _, act in acts if hasattr(act, "network")}
    memory, before = stored.load_around(db, known.values(), devices, networks, places=places)
    zone = of(db).settings.time_zone
    providers = {one.memory.provider for one in known.values()} | {
        getattr(act, "provider", None) or "" for _, act in acts
    }
    stored.load_providers(db, memory, providers, zone)
    _remote_desktops(memory, acts, places)
    watcher = Watcher(memory=memory)
    latest = 0.0
    for one, act in told:
        if isinstance(act, Cleared):
            watcher.clear(act, known[act.account])
            continue
        latest = act.time = max(act.time, latest)  # moments of one batch may cross, days must not
        watcher.look(one, act, known[act.account])
    return watcher, known, before


def _remote_desktops(memory: Memory, acts: Sequence[tuple[Record, Act]], places: Networks) -> None:
    """Take computers of ranges that the operator calls so for what they are: no browser says it."""
    for _, act in acts:
        line = None if isinstance(act, Report) else places.named(act.network)
        if line is not None and line.remote_desktops and not isinstance(act, Report):
            memory.devices.setdefault(act.device, DeviceMemory()).form = "remote_desktop"


def _saved(
    database: Database, part: Part, watcher: Watcher, known: dict[str, Known], networks_before: dict[str, bytes]
) -> bool:
    """Save a round whole, unless another one was first."""
    memory, rows = watcher.memory, []
    rows += [("account", name, stored.packed(one)) for name, one in known.items()]
    rows += [("device", name, stored.packed(memory.devices[name])) for name in watcher.devices]
    rows += [("provider", name, stored.packed(one)) for name, one in memory.providers.items() if name]
    for name, one in memory.networks.items():
        if orjson.dumps(one) != networks_before.get(name):
            rows.append(("network", name, stored.packed(one)))
    newest = max((one.at for one in part.records), default=0)
    now = clock.now()
    with transaction(database) as db:
        values = {"to": part.to, "since": part.since, "generation": part.generation, "at": newest}
        moved = db.execute(_MOVE, values)
        assert isinstance(moved, CursorResult)
        if moved.rowcount != 1:
            return True
        stored.save(db, rows, clock.micros(now))
        telling.keep(db, watcher)
        stored.forget(db, [one.account_id for one in part.records if one.event == SHREDDED and one.account_id])
        for crossed, score, marks in watcher.findings:
            telling.found(db, crossed, score, marks)
    return True
