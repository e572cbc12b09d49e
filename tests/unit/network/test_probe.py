from __future__ import annotations

import json
import socket
import threading

from cleanroom.network.probe import attempt, main


def what(protocol: str, port: int, timeout: float = 0.5) -> dict[str, str | int | float]:
    return {"protocol": protocol, "destination": "127.0.0.1", "port": port, "name": "", "timeout": timeout}


def test_a_listener_is_connected_and_a_closed_port_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(what("tcp", port, 1.0))["outcome"] == "connected"
    assert attempt(what("tcp", port, 1.0))["outcome"] == "refused"


def test_a_datagram_is_answered_refused_or_met_by_silence():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert attempt(what("udp", port, 0.05))["outcome"] == "silent"
        sock.recvfrom(4096)

        def reply() -> None:
            _, asker = sock.recvfrom(4096)
            sock.sendto(b"here", asker)

        thread = threading.Thread(target=reply)
        thread.start()
        assert attempt(what("udp", port, 5.0))["outcome"] == "answered"
        thread.join()
    assert attempt(what("udp", port, 1.0))["outcome"] == "refused"


def test_results_come_in_the_order_of_the_plan(capsys):
    main(json.dumps({"attempts": [what("tcp", 1), what("udp", 2), what("tcp", 3)]}))
    assert [row["port"] for row in json.loads(capsys.readouterr().out)] == [1, 2, 3]
