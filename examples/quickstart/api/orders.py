"""Orders over HTTP, kept in PostgreSQL. No telemetry in here: the spans come from OpenTelemetry's instrumentation."""

from __future__ import annotations

import signal
import sys
from http import HTTPStatus
from typing import NoReturn

import psycopg
import waitress
from flask import Flask, request

# Every wait has an end, so that a database that is gone becomes an answer. One attempt each: what a request does to the
# database never depends on how long something took.
DATABASE = (
    "host=db user=orders dbname=orders sslmode=disable gssencmode=disable"
    " connect_timeout=2 tcp_user_timeout=3000 options='-c statement_timeout=3000'"
)

app = Flask(__name__)


def connect() -> psycopg.Connection:
    return psycopg.connect(DATABASE, autocommit=True)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}


@app.post("/orders")
def place() -> tuple[dict[str, object], HTTPStatus]:
    order = request.get_json()
    with connect() as connection:
        row = connection.execute(
            "INSERT INTO orders (item, quantity) VALUES (%s, %s) RETURNING id", (order["item"], order["quantity"])
        ).fetchone()
    return {"id": row[0], "item": order["item"], "quantity": order["quantity"]}, HTTPStatus.CREATED


@app.get("/orders/<int:number>")
def show(number: int) -> tuple[dict[str, object], HTTPStatus]:
    with connect() as connection:
        row = connection.execute("SELECT id, item, quantity FROM orders WHERE id = %s", (number,)).fetchone()
    if row is None:
        return {"error": "no such order"}, HTTPStatus.NOT_FOUND
    return {"id": row[0], "item": row[1], "quantity": row[2]}, HTTPStatus.OK


@app.errorhandler(psycopg.OperationalError)
def unavailable(error: psycopg.OperationalError) -> tuple[dict[str, object], HTTPStatus]:
    app.logger.warning("the database does not answer: %s", error)
    return {"error": "the database does not answer"}, HTTPStatus.SERVICE_UNAVAILABLE


def stop(_signal: int, _frame: object) -> NoReturn:
    # An ordinary exit: the server ends its requests, and the SDK sends what it still holds.
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    waitress.serve(app, host="0.0.0.0", port=8080)
