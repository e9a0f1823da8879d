"""End one token family from the machines' lane: at reuse of a code or refresh token, or on the app's wish."""

from idp.audit.events import Event
from idp.database.lane import Append, Sql, Work
from idp.oauth.desk import Row

_END = Sql(
    "UPDATE token_family SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL "
    "RETURNING account_id, session_id, provider_id, client_id"
)
_AUTHZ_EPOCH = Sql("SELECT authz_epoch FROM account_version WHERE account_id = $1")
COUNT = Sql("UPDATE revocation_counter SET seq = seq + 1 RETURNING seq")
_ANNOUNCE = Sql(
    "INSERT INTO revocation "
    "(seq, kind, account_id, session_id, family_id, provider_id, authz_epoch, reason, at, created_at) "
    "VALUES ($1, 'family_ended', $2, $3, $4, $5, $6, $7, $8, $8)"
)


def end_family(family_id: str, at: int, because: str, row: Row) -> Work:
    """End the family once, with its record and its numbered revocation; `at` in microseconds."""
    ended = yield _END, (family_id, at, because)
    if not ended:
        return
    account_id, session_id, provider_id, client_id = tuple(ended[0])
    yield Append(
        row(
            Event(
                "oauth.family.ended",
                account=account_id,
                provider=provider_id,
                client=client_id,
                session=session_id,
                reason=because,
                details={"family": family_id},
            )
        )
    )
    versions = yield _AUTHZ_EPOCH, (account_id,)
    epoch = versions[0][0] if versions else 1
    [(seq,)] = yield COUNT, ()
    yield _ANNOUNCE, (seq, account_id, session_id, family_id, provider_id, epoch, because, at)
