"""A small HTTP service that answers questions, as somebody's own would; and systems as commands and functions."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ECHO = """
import json, sys
for line in sys.stdin:
    question = json.loads(line)
    text = question["input"]
    answer = ("good" if "delight" in text else "bad") if question["choices"] else text
    print(json.dumps({"id": question["id"], "answer": answer}), flush=True)
"""
"""A command that knows films; nothing else is told."""


class ExternalServer(ThreadingHTTPServer):
    """Answers on a free port of this machine in a thread.

    Attributes:
        questions: as they came; headers: of each.
    """

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.questions, self.headers = answer, [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/answer"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.questions.append(question)
        self.server.headers.append(dict(self.headers))
        status, reply = self.server.answer(question)
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass
