"""Says hello. No telemetry in here: the span comes from OpenTelemetry's instrumentation of Flask."""

from __future__ import annotations

import signal
import sys

from flask import Flask

app = Flask(__name__)


@app.get("/hello")
def hello() -> str:
    return "hello\n"


if __name__ == "__main__":
    # An ordinary exit, so that the SDK sends what it still holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="0.0.0.0", port=8080)
