"""The shape of a step's `sql`: a query, a file, or several sessions whose statements interleave (spec.md section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.operand import shown
from cleanroom.spec.query import SessionStep, SqlSession
from cleanroom.spec.reference import items_at, locate, require, require_unique
from cleanroom.spec.shapes.query import SQL_CLIENT_KEYS, SQL_QUERY_KEYS, service, sql_of
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, fixed_text, integer, items, name, text
from cleanroom.spec.shapes.step_expect import session_expect

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.query import SqlAction
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields
    from cleanroom.spec.source import Position

_AFTER = Record(
    place="scenarios[].steps[].sql.sessions[].steps[].after",
    doc="A statement of another session.",
    keys={
        "session": Key(fixed_text, "The name of the other session.", example="writer", errors=("unknown-session",)),
        "step": Key(integer(1), "The number of its statement, from 1.", example="2", errors=("impossible",)),
    },
    required=("session", "step"),
)
_STATEMENT = Record(
    place="scenarios[].steps[].sql.sessions[].steps[]",
    doc="One statement of a session. It is sent when the session's last one has ended, unless it waits for others too.",
    keys={
        "sql": Key(text, "The statement.", example='"update stock set left = left - 1 where id = 7"'),
        "barrier": Key(
            fixed_text,
            "Sent when every session that names this barrier has come to it. Their statements are then under way "
            "together: what must follow another's end says so with `after`.",
            example="both-read",
            errors=("impossible", "duplicate-barrier"),
        ),
        "after": Key(
            _AFTER.making(lambda session, step: (session, step)),
            "Sent when this statement of another session has ended.", example="{session: writer, step: 2}",
        ),
        "expect": Key(session_expect, "What must hold of the statement's result.", example="{rows: 1}"),
    },
    required=("sql",),
)  # fmt: skip


def _statement(fields: Fields) -> SessionStep:
    session, step = fields.take("after", ("", 0))
    return SessionStep(after_session=session, after_step=step, at=fields.node.at, **fields.values)


_ISOLATIONS = ("read uncommitted", "read committed", "repeatable read", "serializable")
_SESSION = Record(
    place="scenarios[].steps[].sql.sessions[]",
    doc="One connection; all sessions run at the same time. One ends, and rolls back, with its first statement that "
    "fails though its `expect` names no error type; the step fails with that error.",
    keys={
        "name": Key(name, "Its name, unique among the sessions.", example="writer", errors=("duplicate-session",)),
        "isolation": Key(
            choice(*_ISOLATIONS), "The isolation level of its transactions; by default the server's own.",
            example="serializable",
        ),
        "steps": Key(
            items(_STATEMENT.into(_statement), at_least=1), "Its statements, in order.", example='[{sql: "select 1"}]'
        ),
    },
    required=("name", "steps"),
)  # fmt: skip
_session: Shape[SqlSession] = _SESSION.into(lambda fields: SqlSession(at=fields.node.at, **fields.values))
_SQL = Record(
    place="scenarios[].steps[].sql",
    doc="SQL that the runner sends itself: one query, a file of statements, or sessions that interleave.",
    keys={
        "service": service,
        **SQL_CLIENT_KEYS,
        **SQL_QUERY_KEYS,
        "sessions": Key(
            items(_session, at_least=1), "Several connections at once, to show what isolation does.",
            example='[{name: a, steps: [{sql: "select 1"}]}]',
        ),
    },
    required=("service",),
    exactly_one=("query", "file", "sessions"),
    needs={"parameters": "query"},
)  # fmt: skip


def _sql(node: Node, place: Place) -> SqlAction:
    fields = _SQL(node, place)
    action = sql_of(fields)
    _check_sessions(action.sessions, fields, place)
    return action


def _check_sessions(sessions: tuple[SqlSession, ...], fields: Fields, place: Place) -> None:
    """Report sessions of one name, what waits for nothing, and sessions that would wait for each other for ever."""
    log = place.log
    require_unique(((session.name, session.at) for session in sessions), "session", log)
    names = tuple(session.name for session in sessions)
    meetings: dict[str, set[str]] = {}
    sound = len(set(names)) == len(names)
    for session in sessions:
        require_unique(((step.barrier, step.at) for step in session.steps if step.barrier), "barrier", log)
        sound = sound and _distinct_barriers(session)
        for step in session.steps:
            if step.barrier:
                meetings.setdefault(step.barrier, set()).add(session.name)
            sound = _check_after(step, session, sessions, fields, log) and sound
    for session in sessions:
        for step in session.steps:
            if step.barrier and len(meetings[step.barrier]) == 1:
                message = f"no other session comes to the barrier {shown(step.barrier)}: nothing is waited for"
                log.report("impossible", _place_of(fields, step, "barrier"), message)
    if sound and (stuck := _stuck(sessions)):
        at = fields.node.key_at("sessions")
        message = f"the sessions {' and '.join(stuck)} would wait for each other for ever"
        log.report("impossible", at, message, expected="an order in which every statement is sent")


def _distinct_barriers(session: SqlSession) -> bool:
    barriers = [step.barrier for step in session.steps if step.barrier]
    return len(set(barriers)) == len(barriers)


def _place_of(fields: Fields, step: SessionStep, *path: str) -> Position:
    """Return where a statement says what stands at `path`."""
    nodes = (node for session in items_at(fields.node, "sessions") for node in items_at(session, "steps"))
    found = next((locate(node, *path) for node in nodes if node.at == step.at), None)
    return found.at if found else step.at


def _check_after(
    step: SessionStep, session: SqlSession, sessions: tuple[SqlSession, ...], fields: Fields, log: ProblemLog
) -> bool:
    if not step.after_session:
        return True
    others = tuple(dict.fromkeys(other.name for other in sessions if other.name != session.name))
    if not require(step.after_session, _place_of(fields, step, "after", "session"), others, "session", log):
        return False
    other = next(o for o in sessions if o.name == step.after_session)
    if step.after_step > len(other.steps):
        message = (
            f"the session {shown(other.name)} has {len(other.steps)} statements, and none is number {step.after_step}"
        )
        log.report("impossible", _place_of(fields, step, "after", "step"), message)
        return False
    return True


def _stuck(sessions: tuple[SqlSession, ...]) -> tuple[str, ...]:
    """Return the sessions that never come to their end, by sending what can be sent until nothing can."""
    done = dict.fromkeys((session.name for session in sessions), 0)
    waiting = {session.name: session for session in sessions if session.steps}
    while waiting:
        heads = {name: session.steps[done[name]] for name, session in waiting.items()}
        sent = [name for name, step in heads.items() if _may_be_sent(step, done, sessions, heads)]
        if not sent:
            return tuple(waiting)
        for found in sent:
            done[found] += 1
            if done[found] == len(waiting[found].steps):
                del waiting[found]
    return ()


def _may_be_sent(
    step: SessionStep, done: dict[str, int], sessions: tuple[SqlSession, ...], heads: dict[str, SessionStep]
) -> bool:
    def free(head: SessionStep) -> bool:
        return not head.after_session or done[head.after_session] >= head.after_step

    if not step.barrier:
        return free(step)
    meeting = [session.name for session in sessions if any(s.barrier == step.barrier for s in session.steps)]
    return all(name in heads and heads[name].barrier == step.barrier and free(heads[name]) for name in meeting)


sql_action: Shape[SqlAction] = Shape(_sql, "a mapping", _SQL)
"""`sql` of a step."""
