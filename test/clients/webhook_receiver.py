"""A receiver of webhooks, as an endpoint's owner would write one: listens on the loopback interface alone, verifies each
request's signatures with Python's own hmac, and answers as the path says. Writes a line of JSON for each connection and
for each answer to LOG.

usage: webhook_receiver.py LOG SECRET [PORT [CERTIFICATE KEY]]

Prints the port (0: any) once it listens. Paths:
  /ok                 200
  /status/N[/SECONDS] status N, with Retry-After where SECONDS are given; _ in SECONDS stands for a blank
  /flaky/N            500 to the first N requests with this webhook-id, then 200
  /hold/SECONDS       200 after so long
  /redirect           302 to /ok
  /close              closes the connection without an answer
  /cut                200 with half of the body that it announces, then closes the connection
  /garbage            no HTTP
  /bytes              200 and a body that is no UTF-8, with zero bytes
  /huge               200 and a body without end
"""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.parse
from collections import Counter

log_file = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
secret = sys.argv[2]
lock = threading.Lock()
seen = Counter()
now_open = Counter()


def log(**entry):
    with lock:
        log_file.write(json.dumps(entry) + "\n")


def checks(headers, body):
    """Whether each kind of signature is that of the body's very bytes, and whether it was made just now."""
    ours = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    standard = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "X-BrainSAIT-Signature": hmac.compare_digest(headers["X-BrainSAIT-Signature"] or "", ours),
        "webhook-signature": any(hmac.compare_digest(standard, given) for given in (headers["webhook-signature"] or "").split(" ")),
        "webhook-timestamp": abs(time.time() - int(headers["webhook-timestamp"])) < 300,
    }


def altered(body):
    """The body with one digit changed."""
    place = next(place for place in reversed(range(len(body))) if body[place : place + 1].isdigit())
    return body[:place] + (b"1" if body[place : place + 1] == b"0" else b"0") + body[place + 1 :]


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        log(kind="connection")
        self.entry = None
        super().setup()

    def note(self, status):
        """Writes the request down, once: before its answer goes out, since the sender may act on that at once."""
        entry, self.entry = self.entry, None
        if entry is None:
            return
        with lock:
            now_open[entry["path"]] -= 1
        log(**entry, **({} if status is None else {"status": status}))

    def answer(self, status, body=b"thanks", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.split("/")
        identity = self.headers["webhook-id"] or ""
        with lock:
            seen[self.path, identity] += 1
            times = seen[self.path, identity]
            now_open[self.path] += 1
            at_once = now_open[self.path]
        checked = checks(self.headers, body)
        self.entry = {
            "kind": "request", "path": self.path, "id": identity, "times": times, "at_once": at_once,
            "valid": all(checked.values()), "checks": checked, "altered": checks(self.headers, altered(body)),
            "body": body.decode(), "bytes": len(body), "type": self.headers["Content-Type"],
            "headers": dict(self.headers.items()),
        }
        status = None
        try:
            status = self.respond(path, times)
        finally:
            self.note(status)

    def respond(self, path, times):
        if path[1] == "status":
            headers = {"Retry-After": urllib.parse.unquote(path[3]).replace("_", " ")} if len(path) > 3 else {}
            self.answer(int(path[2]), **headers)
            return int(path[2])
        if path[1] == "flaky":
            status = 500 if times <= int(path[2]) else 200
            self.answer(status)
            return status
        if path[1] == "hold":
            time.sleep(float(path[2]))
            self.answer(200)
            return 200
        if path[1] == "redirect":
            self.answer(302, Location="/ok")
            return 302
        if path[1] == "bytes":
            self.answer(200, b"\xff\xfe caf\xc3\xa9\x00 \xe2\x82")
            return 200
        if path[1] == "ok":
            self.answer(200)
            return 200
        self.close_connection = True
        if path[1] == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif path[1] == "garbage":
            self.wfile.write(b"\x00\x01 what is this\r\n\r\n")
        elif path[1] == "huge":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                for _ in range(100_000):
                    self.wfile.write(b"x" * 1000)
            except OSError:
                return 200
            return 599
        return 0

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Receiver)
server.daemon_threads = True
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
