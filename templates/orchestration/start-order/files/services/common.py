"""What all services share."""

import os
import socket
import socketserver
import sys


def peer(name, *words):
    """Asks another service, whose port is in NAME_PORT."""
    port = os.environ.get(name.upper() + "_PORT")
    if port is None:
        sys.exit("%s_PORT is not set" % name.upper())
    try:
        with socket.create_connection(("127.0.0.1", int(port)), 3) as link:
            link.sendall((" ".join(map(str, words)) + "\n").encode())
            answer = link.makefile().readline().strip()
    except OSError as why:
        sys.exit("cannot reach %s at %s: %s" % (name, port, why))
    if not answer or answer.startswith("error"):
        sys.exit("%s at %s answers %r to %r" % (name, port, answer, " ".join(map(str, words))))
    return answer


def serve(answer):
    """Answers one line of each caller with answer(word, rest), for ever."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            word, _, rest = self.rfile.readline().decode().strip().partition(" ")
            try:
                said = "pong" if word == "ping" else answer(word, rest)
            except (SystemExit, ValueError, KeyError) as why:
                said = "error %s" % why
            self.wfile.write(("%s\n" % ("error unknown request" if said is None else said)).encode())

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    print("ready", flush=True)
    socketserver.ThreadingTCPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
