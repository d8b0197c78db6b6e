# A service that works until it is told to break.
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

to_break = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/break":
            to_break.set()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening on", os.environ["PORT"], flush=True)
to_break.wait()
