"""Our signing keys: one active and one next for each algorithm, sealed at rest (security.md 58).

next > active > retiring > removed. `next` is published before it signs, `retiring` stays published
until no token it signed can be alive. At most one active and one next key exist per algorithm; the
unique indexes decide between two workers, not a check.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import CursorResult, func, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, transaction
from idp.envelope import KeyRing
from idp.errors import Conflict
from idp.oauth.tables import SigningKey
from idp.signals import epochs
from idp.signatures import Key, Keys, generate, key_from_jwk

ALGORITHMS = ("ES256", "RS256")
_INSERT = text(
    "INSERT INTO signing_key (kid, use, alg, private, public, state, activated_at, created_at) "
    "VALUES (:kid, 'sig', :alg, :private, :public, :state, :activated_at, :now) ON CONFLICT DO NOTHING"
)
_SPENT = b"\x00"
"""What stands in place of a removed key's private half."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys in memory: one signer per algorithm, and everything that is published."""

    signers: dict[str, Key]
    published: Keys

    def signer(self, algorithm: str) -> Key:
        """Return the active key of an algorithm."""
        return self.signers[algorithm]


def place(kid: str) -> str:
    """Return where a key's private half belongs, bound into its seal."""
    return f"signing_key.private:{kid}"


def ensure(database: Database) -> None:
    """Make the first keys where there are none; any number of workers may call this at once."""
    with transaction(database) as db:
        states = {(row.alg, row.state) for row in db.exec(select(SigningKey)).all()}
    missing = [(alg, state) for alg in ALGORITHMS for state in ("active", "next") if (alg, state) not in states]
    if not missing:
        return
    made = [(generate(alg), state) for alg, state in missing]  # outside of the transaction: RSA takes its time
    with transaction(database) as db:
        for key, state in made:
            _add(db, key, state)


def rotate(db: Db, *, early: bool = False) -> list[str]:
    """Retire each active key and let its published successor sign; return the kids that became active.

    A successor that was published for less than `clocks.key_next` is refused with Conflict, unless
    `early` (a leak: some apps will have to fetch the keys again before they can verify).
    """
    now = clock.now()
    clocks = configuration.current(db).clocks
    activated: list[str] = []
    for alg in ALGORITHMS:
        following = db.exec(select(SigningKey).where(col(SigningKey.alg) == alg, col(SigningKey.state) == "next")).one()
        if not early and now < following.created_at + clocks.key_next:
            raise Conflict(f"The next {alg} key was published less than {clocks.key_next} ago; apps may not know it.")
        activated += _promote(db, alg, following, now)
    return activated


def tend(db: Db) -> list[str]:
    """Do what is due: rotate old keys, remove retired ones; return the kids that became active. For a job."""
    now = clock.now()
    clocks = configuration.current(db).clocks
    retired = db.exec(
        select(SigningKey).where(
            col(SigningKey.state) == "retiring", col(SigningKey.retired_at) <= now - clocks.key_retiring
        )
    ).all()
    for key in retired:
        key.state, key.removed_at, key.private = "removed", now, _SPENT
        db.add(key)
        log.record(db, Event("oauth.key.removed", details={"kid": key.kid, "alg": key.alg}))
        epochs.changed_policy(db)
    activated: list[str] = []
    for alg in ALGORITHMS:
        rows = db.exec(
            select(SigningKey).where(col(SigningKey.alg) == alg, col(SigningKey.state).in_(["active", "next"]))
        )
        by_state = {row.state: row for row in rows.all()}
        active, following = by_state.get("active"), by_state.get("next")
        if following is None:
            _add(db, generate(alg), "next")
        elif active is not None and active.activated_at is not None:
            old_enough = now >= active.activated_at + clocks.key_rotation
            if old_enough and now >= following.created_at + clocks.key_next:
                activated += _promote(db, alg, following, now)
    db.flush()
    return activated


def load(rows: list[tuple[str, str, str, bytes, str]], ring: KeyRing, known: dict[str, Key]) -> KeySet:
    """Make the key objects of (kid, alg, state, sealed private, public) rows; `known` spares opening them again."""
    signers: dict[str, Key] = {}
    published: list[Key] = []
    for kid, alg, state, sealed, public in rows:
        if state == "active":
            key = known.get(kid) or key_from_jwk(orjson.loads(ring.open("signing", place(kid), sealed)), alg)
            known[kid] = key
            signers[alg] = key
        published.append(known.get(kid) or key_from_jwk(orjson.loads(public), alg))
    return KeySet(signers, Keys(published, kid_required=True))


def count_active(db: Db) -> int:
    """Return how many keys sign now."""
    return int(db.exec(select(func.count()).where(col(SigningKey.state) == "active")).one())


def _promote(db: Db, alg: str, following: SigningKey, now: datetime) -> list[str]:
    """Retire the active key and let `following` sign: each by one conditional update."""
    retired = db.execute(
        update(SigningKey)
        .where(col(SigningKey.alg) == alg, col(SigningKey.state) == "active")
        .values(state="retiring", retired_at=now)
        .returning(col(SigningKey.kid))
    ).all()
    for (kid,) in retired:
        log.record(db, Event("oauth.key.retired", details={"kid": kid, "alg": alg}))
    promoted = db.execute(
        update(SigningKey)
        .where(col(SigningKey.kid) == following.kid, col(SigningKey.state) == "next")
        .values(state="active", activated_at=now)
    )
    assert isinstance(promoted, CursorResult)
    if promoted.rowcount != 1:
        raise Conflict("The keys were rotated by somebody else at the same moment.")
    log.record(db, Event("oauth.key.activated", details={"kid": following.kid, "alg": alg}))
    _add(db, generate(alg), "next")
    epochs.changed_policy(db)
    return [following.kid]


def _add(db: Db, key: Key, state: str) -> None:
    assert key.kid is not None
    now = clock.micros(clock.now())
    result = db.execute(
        _INSERT,
        {
            "kid": key.kid,
            "alg": key.alg,
            "private": of(db).ring.seal("signing", place(key.kid), key.private_json()),
            "public": orjson.dumps(key.public_jwk(), option=orjson.OPT_SORT_KEYS).decode(),
            "state": state,
            "activated_at": now if state == "active" else None,
            "now": now,
        },
    )
    assert isinstance(result, CursorResult)
    if result.rowcount == 1:
        log.record(db, Event("oauth.key.made", details={"kid": key.kid, "alg": key.alg, "state": state}))
        epochs.changed_policy(db)
