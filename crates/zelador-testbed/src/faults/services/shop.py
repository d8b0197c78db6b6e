# A shop that asks its database by the database's own client: CLIENT is a command line as JSON.
# STRICT: it ends when the database fails. Otherwise it says so and answers 500.
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

client = json.loads(os.environ["CLIENT"])
strict = "STRICT" in os.environ


def ask():
    done = subprocess.run(client, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stderr.strip(), file=sys.stderr, flush=True)
    return done.returncode == 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if strict or ask() else 500)
        self.end_headers()
        self.wfile.write(b"shop\n")

    def log_message(self, *_):
        pass


if strict and not ask():
    sys.exit(1)
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening on", os.environ["PORT"], flush=True)
while not strict or ask():
    time.sleep(0.3)
sys.exit(1)
