"""Receives the deliveries of a webhook sink. Python 3.10, nothing else.

$ WEBHOOK_KEY=… python3 receive.py 8090
"""

import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = os.environ["WEBHOOK_KEY"].encode()
WINDOW = 300  # seconds that a delivery may be old, or ahead of this clock
LARGEST = 64 * 1024

newest: dict[str, int] = {}
taking = threading.Lock()


def verify(timestamp: str, signature: str, body: bytes) -> str | None:
    """Why the delivery is refused, or None."""
    if not (timestamp.isascii() and timestamp.isdigit()):
        return "no timestamp"
    expected = "v1=" + hmac.new(KEY, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return "bad signature"
    if abs(time.time() - int(timestamp)) > WINDOW:
        return "too old"
    return None


def take(event: dict) -> None:
    """Deliveries come at least once, and one may overtake another: only the last word counts."""
    name, sequence = event["credential"], event["sequence"]
    # Each request has a thread of its own: an older one must not take what a newer one has taken.
    with taking:
        if sequence <= newest.get(name, -1):
            return
        newest[name] = sequence
        print(f"{name} generation {event['generation']} until {event['expires_at']}", flush=True)


class Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST:
            return self.answer(413, "too large, or of unknown length")
        body = self.rfile.read(length)
        headers = self.headers
        wrong = verify(headers.get("Tokenward-Timestamp", ""), headers.get("Tokenward-Signature", ""), body)
        if wrong:
            return self.answer(401, wrong)
        take(json.loads(body))
        self.answer(200, "thanks")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
