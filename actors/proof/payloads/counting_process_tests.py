import os
import socket
import unittest

NAME = "\0counted-runs"


def count(listener):
    """Tells everybody who asks how many have asked before."""
    earlier = 1
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"%d" % earlier)
        connection.close()
        earlier += 1


def earlier_runs():
    """How often these tests have run beside the process that the first run has left."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(NAME)
    except OSError:
        client = socket.socket(socket.AF_UNIX)
        client.connect(NAME)
        return int(client.recv(16))
    listener.listen(8)
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        count(listener)
    return 0


EARLIER = earlier_runs()
