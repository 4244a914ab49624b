import http.client, http.server, json, os, re, shutil, socket, subprocess, tempfile, threading, time

SEEN, SCRIPT, TURN = [], [{}], [0]
HEADERS = ("X-Request-Id", "Authorization", "Idempotency-Key", "X-Hops")


class Neighbour(http.server.BaseHTTPRequestHandler):
    """Answers as the script says: one answer after the other, or by path."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        SEEN.append([self.command, self.path, {key: self.headers[key] for key in HEADERS}, body])
        script = SCRIPT[0]
        if isinstance(script, dict):
            status, said = script.get(self.path.split("?")[0], [200, {"ready": True}])
        else:
            status, said = script[min(TURN[0], len(script) - 1)]
        TURN[0] += 1
        data = json.dumps(said, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


def ask(port, method, path, body, headers):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()
        link.request(method, path, data, headers)
        answer = link.getresponse()
        text = answer.read().decode("utf-8", "replace")
        try:
            said = json.loads(text)
        except ValueError:
            said = "no JSON: " + text[:80]
        return [answer.status, "\\u" if "\\u" in text else said, answer.headers.get("X-Request-Id")]
    except (OSError, http.client.HTTPException, ValueError) as error:
        return [type(error).__name__, None, None]
    finally:
        link.close()


def talk(lines):
    """A conversation; @N in a path is the number of the order that was last accepted."""
    told, last = [], "none"
    for port, method, path, body, headers in lines:
        found = ask(port, method, path.replace("@N", last), body, headers)
        if found[0] == 201 and isinstance(found[1], dict):
            last = str(found[1].get("order"))
        told.append(found)
    return told


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def changed(path, pattern, text):
    with open(path, encoding="utf-8") as file:
        old = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(pattern, text, old, flags=re.M))


def begin(etc, ports, neighbour):
    for name, port in ports.items():
        changed("%s/%s.ini" % (etc, name), r"^port *=.*$", "port = %d" % port)
        if name != "proxy":
            changed("%s/%s.ini" % (etc, name), r"^proxy *=.*$", "proxy = %d" % neighbour)
    dead = free()
    for name in ("accounts", "stock", "orders"):
        changed(etc + "/routes.tsv", r"^%s\t[0-9]*" % name, "%s\t%d" % (name, neighbour))
    changed(etc + "/routes.tsv", r"^prices\t[0-9]*", "prices\t%d" % dead)
    running = [subprocess.Popen(["python3", "-S", "-B", "mesh/%s.py" % name, etc], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for name in ports]
    for name, port in ports.items():
        pause = 0.05
        while pause < 6 and ask(port, "GET", "/live", None, {})[0] != 200:
            time.sleep(pause)
            pause *= 1.4
    return running


def answer(data):
    os.chdir("/work")
    told = {"real": talk(data["real"]), "apart": []}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbour)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    etc = tempfile.mkdtemp() + "/settings"
    running = []
    try:
        shutil.copytree("etc", etc)
        ports = {name: free() for name in ("proxy", "orders", "gateway")}
        running = begin(etc, ports, server.server_address[1])
        for name, method, path, body, headers, script in data["apart"]:
            del SEEN[:]
            SCRIPT[0], TURN[0] = script, 0
            found = ask(ports[name], method, path, body, headers)
            told["apart"].append([found, list(SEEN)])
    except Exception as error:
        told["why"] = repr(error)
    for child in running:
        child.kill()
        child.wait()
    return told
