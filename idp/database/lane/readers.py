"""Autocommit connections to PostgreSQL for the reads of one worker's event loop.

A list of idle connections in place of asyncpg's pool: its checks and resets cost a read a third of its
time, and readers change no session state.
"""

import asyncio
from collections import deque
from typing import Any

import asyncpg

from idp.errors import Unavailable

AT_MOST = 8
SECONDS = 2
BY_KEY = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Our statements join many tables by key: one plan that goes from key to key is always good, and making it (or
compiling it) anew costs more than running it. One made while a table was small must not scan it when it has grown."""
GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the answer to what was asked before it died is still awaited
    asyncpg.OperatorInterventionError,  # it is told to stop, has crashed or is starting
    asyncpg.InsufficientResourcesError,  # its disk is full, or it has no connection left
)
"""What a database raises that is away, not wrong: the asker is told to come back."""


class Readers:
    """At most eight connections, made when needed, made anew when the database came back."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[asyncpg.Connection] = []
        self._turns: deque[asyncio.Future[None]] = deque()
        self._out = 0
        self._closed = False

    async def open(self) -> None:
        """Make the first connection."""
        self._idle.append(await self._connect())

    async def fetch(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Run one statement; raise Unavailable when the database does not answer within two seconds."""
        while self._out >= AT_MOST:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._turns.append(turn)
            await turn
        self._out += 1
        connection = None
        try:
            while self._idle and connection is None:
                connection = self._idle.pop()
                if connection.is_closed():
                    connection = None
            if connection is None:
                connection = await self._connect()
            try:
                rows: list[Any] = await connection.fetch(statement, *values)
            except asyncpg.DataError:  # a value it cannot take; the connection is none the worse
                self._give_back(connection)
                connection = None
                raise
            self._give_back(connection)
            connection = None
        except GONE as problem:
            raise Unavailable("The database did not answer. Try again in a moment.") from problem
        else:
            return rows
        finally:
            self._out -= 1
            if connection is not None:  # given up in the middle of a statement: in no state to be used again
                connection.terminate()
            while self._turns:
                turn = self._turns.popleft()
                if not turn.done():
                    turn.set_result(None)
                    break

    def close(self) -> None:
        """Close the idle connections; those in use close when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()

    def _give_back(self, connection: asyncpg.Connection) -> None:
        if self._closed:
            connection.terminate()
        else:
            self._idle.append(connection)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._dsn, timeout=SECONDS, command_timeout=SECONDS, server_settings=BY_KEY)
