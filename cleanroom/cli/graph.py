"""`cleanroom graph`: a recorded trace, or its services, as a picture."""

from __future__ import annotations

import argparse
import sys

from cleanroom.errors import ExitCode, UsageError
from cleanroom.text import one_line

MOST = 500


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "graph",
        help="draw recorded spans or their services",
        description="Draw the spans in files (OTLP/JSON lines or documents, OTLP protobuf), or the services that sent "
        "them, as text, Mermaid, DOT or SVG; no other program is needed.",
    )
    parser.add_argument("traces", nargs="+", metavar="TRACES", help="files of spans; together they are one trace")
    parser.add_argument("--of", default="spans", choices=["spans", "services"], help="what to draw (default: spans)")
    parser.add_argument("--format", default="text", choices=["text", "mermaid", "dot", "svg"], help="default: text")
    parser.add_argument("--trace", default="", metavar="ID", help="only this trace id, or the one it is the begin of")
    parser.add_argument(
        "--most", type=int, default=MOST, metavar="N", help=f"nodes at most; the rest is counted (default: {MOST})"
    )
    parser.set_defaults(call=_graph)


def _graph(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.recorded import read_trace  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.report.graph.model import service_graph, span_graph  # noqa: PLC0415
    from cleanroom.report.graph.svg import svg  # noqa: PLC0415
    from cleanroom.report.graph.text import dot, mermaid, text  # noqa: PLC0415
    from cleanroom.trace.model import Trace  # noqa: PLC0415

    if arguments.most < 1:
        raise UsageError(f"--most {arguments.most}: expected at least 1")
    trace = read_trace(arguments.traces)
    if arguments.trace:
        wanted = arguments.trace.lower()
        trace = Trace.of(span for span in trace.spans if span.trace_id.startswith(wanted))
        if not trace.spans:
            raise UsageError(f"--trace {one_line(arguments.trace)}: no span has this trace id")
    graph = (service_graph if arguments.of == "services" else span_graph)(trace, arguments.most)
    show = {"text": text, "mermaid": mermaid, "dot": dot, "svg": svg}[arguments.format]
    sys.stdout.buffer.write(show(graph).encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    return int(ExitCode.PASS)
