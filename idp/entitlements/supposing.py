"""What if? Hypothetical changes laid over the rows a decision reads; nothing is written, so nothing can stay.

The gates, the sources and Casbin see the changed rows as they would see stored ones. Only the rows of one
question are touched, and no memory is asked or filled.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from idp import clock
from idp.database.lane import Sql, Work
from idp.entitlements import facts, standing, world
from idp.entitlements.question import LINES, Question, Supposition

STATUSES = {
    "acc_": frozenset({"invited", "verified", "active", "suspended", "ceased", "closed"}),
    "ptr_": frozenset({"prospect", "due_diligence", "ready", "active", "review_overdue", "suspended", "ended"}),
    "prv_": frozenset({"active", "suspended", "ended"}),
    "dlg_": frozenset({"requested", "active", "suspended", "ended"}),
}
"""What may be supposed of whom."""
OWNERS = frozenset({"partner", "insurer", "affiliate"})
MOST, LONGEST = 50, 256
_ASSIGNED = Sql(
    "SELECT 'assignment', id, starts_at, ends_at, ended_at FROM assignment "
    "WHERE account_id = $1 AND provider_id = $2 AND line = $3 AND bundle = $4 "
    "UNION ALL SELECT 'grant', g.id, NULL, NULL, NULL "
    'FROM "grant" AS g JOIN assignment AS a ON a.id = g.assignment_id '
    "WHERE g.account_id = $1 AND g.provider_id = $2 AND g.line_of_business = $3 AND a.bundle = $4"
)
"""A person's assignments of a bundle, and the grants they expanded into."""


class NotSupposable(ValueError):
    """A change nobody can suppose; the sentence says why."""


def read(wanted: Any) -> tuple[Supposition, ...]:
    """Return the changes of a request; raise NotSupposable with a sentence.

    `{"end": id}`; `{"set": id, "status" | "payment_arrangement": ...}`; `{"grant": entitlement, "line"?,
    "delegation"?}`; `{"bundle": key, "with"?: [], "without"?: []}`; `{"owner": "partner", "function": key,
    "shared_account": number, "partner"?: id}`.
    """
    if not isinstance(wanted, list) or len(wanted) > MOST:
        raise NotSupposable(f"suppose must be a list of at most {MOST} changes.")
    return tuple(_one(change) for change in wanted)


def _one(change: Any) -> Supposition:
    if not isinstance(change, dict):
        raise NotSupposable("Each change must be an object.")
    kinds = [name for name in ("end", "set", "grant", "bundle", "owner") if name in change]
    if len(kinds) != 1:
        raise NotSupposable("A change has one of end, set, grant, bundle and owner.")
    [kind] = kinds
    named = change[kind]
    values = {name: value for name, value in change.items() if name != kind}
    if not _text(named):
        raise NotSupposable(f"{kind} must be a text of 1 to {LONGEST} characters.")
    _checked(kind, named, values)
    return Supposition(kind, named, values)


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


def _checked(kind: str, named: str, values: Mapping[str, Any]) -> None:
    known = {
        "end": (),
        "set": ("status", "payment_arrangement"),
        "grant": ("line", "delegation"),
        "bundle": ("with", "without"),
        "owner": ("function", "shared_account", "partner"),
    }[kind]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise NotSupposable(f"{kind} has no {unknown[0]}.")
    for name, value in values.items():
        texts = value if name in ("with", "without") else [value]
        if not isinstance(texts, list) or len(texts) > LONGEST or not all(_text(text) for text in texts):
            raise NotSupposable(f"{name} must be {'a list of texts' if name in ('with', 'without') else 'a text'}.")
    if kind == "set" and (not values or values.get("status", "active") not in STATUSES.get(named[:4], ())):
        raise NotSupposable("set needs the id of an account, partner, provider or delegation and a status it may have.")
    if kind == "owner" and (named not in OWNERS or "function" not in values or "shared_account" not in values):
        raise NotSupposable("owner is partner, insurer or affiliate, of a function of a shared_account.")
    if kind == "grant" and values.get("line", "medical") not in LINES:
        raise NotSupposable("There is no such line.")


def supposed(work: Work, question: Question) -> Work:
    """Run the reads of a decision with the question's changes laid over their rows; return what the work returns."""
    at = clock.micros(question.at if question.at is not None else clock.now())
    over = _Overlay(question, at)
    answer: list[Any] | None = None
    while True:
        try:
            step = work.send(answer) if answer is not None else next(work)
        except StopIteration as done:
            return done.value
        rows = yield step
        assert isinstance(step, tuple)
        answer = yield from over.rows(step[0], step[1], [tuple(row) for row in rows])


class _Overlay:
    def __init__(self, question: Question, at: int) -> None:
        self.question = question
        self.at = at
        self.ended = {one.id for one in question.supposes if one.kind == "end"}
        self.told = {one.id: one.values for one in question.supposes if one.kind == "set"}
        self.supposed_owners: set[str] = set()
        self.others = [one for one in question.supposes if one.kind not in ("end", "set")]

    def rows(self, sql: Sql, values: Sequence[Any], rows: list[Any]) -> Work:
        """Return the rows of one statement as they would be."""
        if sql is standing.ORGANISATION:
            return [self._of_organisation(row) for row in rows]
        if sql is standing.PERSON:
            changed = [self._of_person(row) for row in rows]
            for one in self.others:
                changed = yield from self._given(one, changed)
            return changed
        if sql is world.PARTNERS:
            return [self._with_status(row, 0, 1) for row in rows]
        if sql is standing.STATUSES:
            return rows + [
                (subject, what, value, None, self.at)
                for subject, told in self.told.items()
                for what, value in told.items()
            ]
        if sql is world.HISTORY:
            told = [(who, told["status"]) for who, told in self.told.items() if "status" in told]
            return rows + [(who, "status", status, None, self.at) for who, status in told]
        if sql is facts.SHARED:
            return self._owned(rows)
        if sql is facts.OWNED:  # whoever is supposed to answer does so at the moment asked about, whoever did then
            return [row for row in rows if row[0] not in self.supposed_owners]
        return rows

    def _with_status(self, row: Any, id_at: int, status_at: int) -> Any:
        told = self.told.get(row[id_at], {})
        return _put(row, status_at, told["status"]) if "status" in told else row

    def _of_organisation(self, row: Any) -> Any:
        kind, row_id = row[0], row[1]
        if kind == "provider":
            row = self._with_status(row, 1, 3)
            arrangement = self.told.get(row_id, {}).get("payment_arrangement")
            return row if arrangement is None else _put(row, 5, arrangement)
        if kind == "delegation":
            row = self._with_status(row, 1, 6)
        if row_id not in self.ended:
            return row
        return _put(row, 9, self.at) if kind in ("portal", "delegation") else _put(row, 8, self.at)

    def _of_person(self, row: Any) -> Any:
        kind, row_id = row[0], row[1]
        if kind == "account":
            return self._with_status(row, 1, 2)
        if row_id not in self.ended:
            return row
        return _put(row, 6 if kind == "attestation" else 7, self.at)

    def _given(self, one: Supposition, rows: list[Any]) -> Work:
        question = self.question
        if one.kind == "grant":
            if one.values.get("line", "medical") == question.asked_line:
                made = ("grant", "(supposed)", one.id, "allow", one.values.get("delegation"), self.at, None, None)
                rows = [*rows, made]
        elif one.kind == "bundle":
            place = (question.account_id, question.provider_id or "", question.asked_line, one.id)
            held = yield _ASSIGNED, place
            of_bundle = {row[1] for row in held if row[0] == "grant"}
            without, more = one.values.get("without", []), one.values.get("with", [])
            rows = [
                _put(row, 7, self.at) if row[0] == "grant" and row[1] in of_bundle and row[2] in without else row
                for row in rows
            ]
            rows += [
                ("grant", row[1], key, "allow", None, row[2], row[3], row[4])
                for row in held
                if row[0] == "assignment"
                for key in more
            ]
        return rows

    def _owned(self, rows: list[Any]) -> list[Any]:
        for one in self.others:
            number = self.question.record.get("shared_account")
            if one.kind != "owner" or one.values["function"] != self.question.entitlement:
                continue
            if rows and one.values["shared_account"] == number:
                self.supposed_owners |= {row[9] for row in rows if row[9] is not None}
                rows = [(*row[:3], one.id, one.values.get("partner"), None, None, None, *row[8:]) for row in rows]
        return rows


def _put(row: Any, place: int, value: Any) -> Any:
    return (*row[:place], value, *row[place + 1 :])
