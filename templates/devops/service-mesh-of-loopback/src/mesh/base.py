"""What all programs of the mesh share. HUP makes a program begin anew, with the same process number."""

import http.client
import http.server
import json
import os
import signal
import sys
from urllib.parse import parse_qs, unquote, urlsplit

ETC = sys.argv[1]


def setting(name, key):
    """A setting of etc/NAME.ini. Settings are read anew for each request."""
    with open(os.path.join(ETC, name + ".ini"), encoding="utf-8") as file:
        for line in file:
            found, _, value = line.partition("=")
            if found.strip() == key:
                return value.strip()
    raise Answer(500, {"error": "no setting %s in %s.ini" % (key, name)})


def rows(path):
    """The rows of a table with tabs, without comments."""
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]


class Answer(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Request:
    """path is as it came; parts are its pieces, decoded; body is the JSON, or None."""

    def __init__(self, method, target, headers, body):
        split = urlsplit(target)
        self.method, self.path, self.query, self.headers, self.body = method, split.path, split.query, headers, body
        self.parts = [unquote(part) for part in split.path.split("/")[1:]]
        self.values = {key: found[-1] for key, found in parse_qs(split.query).items()}


def call(port, method, path, body=None, headers=None):
    """Asks a program: its status and its JSON; 502 if it does not answer."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request(method, path, None if body is None else json.dumps(body), headers or {})
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return 502, {"error": "no answer from port %d" % port}
    finally:
        link.close()


def serve(name, answer, most=1 << 20):
    """Answers requests with answer(request) -> (status, JSON), for ever."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answered(self):
            size = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(size)
            try:
                if size > most():
                    raise Answer(413, {"error": "too large"})
                request = Request(self.command, self.path, self.headers, json.loads(text) if text else None)
                return (200, {"live": name}) if request.path == "/live" else answer(request)
            except Answer as said:
                return said.status, said.body
            except ValueError:
                return 400, {"error": "no JSON, or a wrong value"}
            except Exception as error:
                print("%s: %r" % (name, error), flush=True)
                return 500, {"error": type(error).__name__}

        def do_GET(self):
            status, body = self.answered()
            data = json.dumps(body, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Request-Id", self.headers.get("X-Request-Id") or "-")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, form, *words):
            print("%s %s: %s" % (name, self.headers.get("X-Request-Id") or "-", form % words), flush=True)

    if not callable(most):
        limit = most
        most = lambda: limit
    signal.signal(signal.SIGHUP, lambda *_: os.execv(sys.executable, [sys.executable, "-S", "-B", *sys.argv]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(setting(name, "port"))), Handler)
    server.daemon_threads = True
    server.serve_forever()
