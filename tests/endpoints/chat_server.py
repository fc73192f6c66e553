"""A real HTTP server that speaks the OpenAI-compatible protocol, and misbehaves on demand.

Run as a program it serves until it is killed: ``python chat_server.py PORT_FILE DELAY_S``.
"""

import json
import random
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

FAULTS = ("429", "500", "503", "reset", "half", "error 200", "no choices", "overloaded")
USD_IN, USD_OUT = 1.0, 2.0
"""Prices of a million tokens."""


class ChatServer(ThreadingHTTPServer):
    """Answers by a function of the question.

    Attributes:
        answer: from the text of the prompt to the text of the answer, or to a dict that is put into the reply.
        refuses: parameters that are answered by 400.
        share: of the requests that fail, by the seed and their number.
        answer_turns: called with the turns and the body in place of `answer`, where there is one; answer_body: with
            the body alone.
        pieces: seconds and text of what a stream sends, one after the other; empty: the answer at once.
        failures: how often a question that holds a text is answered by 500 first.
        cut_streams: how the next streams break off.
        answered: questions by how often they were answered; bodies, headers: of all requests.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer=lambda text: "yes", *, refuses=(), share=0.0, seed=0, delay_s=0.0, status=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.refuses, self.share, self.delay_s, self.status = answer, refuses, share, delay_s, status
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.answered, self.bodies, self.headers, self.usd, self.most_at_once, self.now = Counter(), [], [], 0.0, 0, 0
        self.redirect = self.answer_turns = self.answer_body = None
        self.pieces, self.failures, self.cut_streams = [], {}, []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        pass  # clients hang up in these tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        server, body = self.server, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            server.now += 1
            server.most_at_once = max(server.most_at_once, server.now)
            fault = server.random.choice(FAULTS) if server.random.random() < server.share else None
        try:
            time.sleep(server.delay_s)
            self.reply(body, fault)
        finally:
            with server.lock:
                server.now -= 1

    def reply(self, body, fault):
        server = self.server
        if server.redirect:
            self.send(307, {}, {"Location": server.redirect})
        elif server.status:
            self.send(*server.status)
        elif fault:
            self.fail(fault)
        else:
            self.reply_calmly(body)

    def reply_calmly(self, body):
        server = self.server
        for name in server.refuses:
            if name in body:
                hint = "Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                message = f"Unsupported parameter: '{name}' is not supported with this model. {hint}"
                self.send(400, {"error": {"message": message, "code": "unsupported_parameter"}})
                return
        turns = body.get("messages")
        text = "\n".join(turn["content"] for turn in turns) if turns else body["prompt"]
        if server.answer_body:
            answer = server.answer_body(body)
        else:
            answer = server.answer_turns(turns, body) if server.answer_turns else server.answer(text)
        choice = {"index": 0, "finish_reason": "stop"}
        if again := next((name for name, count in server.failures.items() if name in text and count), None):
            server.failures[again] -= 1
            self.send(500, {"error": {"message": "fault"}}, {"retry-after-ms": "300"})
            return
        if isinstance(answer, int):
            message = "down" if answer >= 500 else "This model's maximum context length is exceeded."
            self.send(answer, {"error": {"message": message}})
            return
        if isinstance(answer, dict):
            choice |= answer
        else:
            choice |= {"message": {"role": "assistant", "content": answer}} if turns else {"text": answer}
        usage = {"prompt_tokens": len(text.split()), "completion_tokens": len(str(answer).split())}
        usage |= choice.pop("usage", {})
        with server.lock:
            server.answered[text] += 1
            server.usd += (usage["prompt_tokens"] * USD_IN + usage["completion_tokens"] * USD_OUT) / 1e6
        served = choice.pop("model", f"{body['model']}-2026-01-01")
        if body.get("stream"):
            self.stream(served, str(answer), usage)
            return
        self.send(200, {"model": served, "system_fingerprint": "fp_1", "choices": [choice], "usage": usage})

    def stream(self, model, answer, usage):
        cut = self.server.cut_streams.pop() if self.server.cut_streams else None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.event({"model": model, "choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for wait_s, text in self.server.pieces or [(0, answer)]:
            time.sleep(wait_s)
            self.event({"model": model, "choices": [{"delta": {"content": text}}]})
        if cut == "error":
            self.event({"error": {"message": "upstream failed", "code": 502}})
        if cut is None:
            self.event({"model": model, "choices": [{"delta": {}, "finish_reason": "stop"}]})
            self.event({"model": model, "choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

    def event(self, content):
        self.wfile.write(f"data: {json.dumps(content)}\n\n".encode())
        self.wfile.flush()

    def fail(self, fault):
        if fault == "429":
            self.send(429, {"error": {"message": "slow down"}}, {"retry-after-ms": "5"})
        elif fault == "overloaded":
            self.send(529, {"error": {"message": "overloaded"}}, {"retry-after": "0.01"})
        elif fault.isdigit():
            self.send(int(fault), {"error": {"message": "fault"}}, {"retry-after-ms": "1"})
        elif fault == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True  # its end is a reset, without a reply
        elif fault == "half":
            self.send(200, '{"choices": [{"message": {"content": "no')
        elif fault == "error 200":
            self.send(200, {"error": {"message": "upstream failed", "code": 502}, "choices": None})
        else:
            self.send(200, {"choices": []})

    def send(self, code, content, headers=None):
        text = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    server = ChatServer(delay_s=float(sys.argv[2]))
    Path(sys.argv[1]).write_text(server.url)
    threading.Event().wait()
