"""What Ollama answers passes byte for byte; what two servers could read in two ways does not pass."""
import http.client
import json
import socket
import threading
import time
import unittest

from harness import ALPHABET, TINY, EndToEnd, request, wait_for


def raw(port, data, until=None, timeout=20):
    """Sends bytes, reads until the peer closes or `until` bytes pattern is there."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as c:
        c.sendall(data)
        out = b""
        while not (until and until in out):
            piece = c.recv(65536)
            if not piece:
                break
            out += piece
        return out


class Gateway(EndToEnd):
    @classmethod
    def setUpClass(cls):
        cls.outer = cls("none")
        cls.s = cls.outer.serve(config='[gateway]\nhead_timeout = "2s"\n[context]\ndefault_num_ctx = 4096\n', models=[("a", TINY), ("e", TINY + ["--seed", "3", "--pooling", "1"])])


    @classmethod
    def tearDownClass(cls):
        cls.outer.doCleanups()

    def none(self):
        pass

    def both(self, method, path, body=None, headers=None):
        """The same request through the gateway and straight to the server."""
        direct = self.s.status()["server"]["port"]
        return [request(port, method, path, body, headers) for port in (self.s.port, direct)]

    def test_answers_are_the_servers_own(self):
        for method, path, body in (("GET", "/", None), ("HEAD", "/", None), ("GET", "/api/version", None), ("GET", "/api/tags", None),
                                   ("HEAD", "/api/tags", None), ("GET", "/v1/models", None), ("POST", "/api/show", {"model": "a"}),
                                   ("GET", "/nope", None), ("POST", "/api/version", {}), ("GET", "/api/generate", None),
                                   ("GET", "/api/tags/", None), ("POST", "/api/generate", b"{broken"), ("POST", "/api/generate", {"model": "missing"}),
                                   ("POST", "/v1/chat/completions", {"model": "missing"}), ("HEAD", "/api/blobs/sha256:" + "0" * 64, None),
                                   ("DELETE", "/api/delete", {"model": "missing"}), ("POST", "/api/chat", {}), ("POST", "/api/pull", b"")):
            with self.subTest(f"{method} {path}"):
                ours, theirs = self.both(method, path, body)
                self.assertEqual(ours.status, theirs.status)
                if path in ("/api/tags", "/v1/models"):  # Ollama lists its models in any order
                    self.assertEqual(sorted(ours.body), sorted(theirs.body))
                else:
                    self.assertEqual(ours.body, theirs.body)
                skip = ("Date",)
                self.assertEqual({k: v for k, v in ours.headers.items() if k not in skip},
                                 {k: v for k, v in theirs.headers.items() if k not in skip})

    def test_known_answers_streamed_and_not_on_every_route(self):
        chat = [{"role": "user", "content": "hi!"}]
        options = {"num_predict": 26, "temperature": 0}
        for stream in (True, False):
            reply = self.s.post("/api/generate", {"model": "a", "prompt": "hi!", "stream": stream, "options": options})
            self.assertEqual(reply.text(), ALPHABET)
            reply = self.s.post("/api/chat", {"model": "a", "messages": chat, "stream": stream, "options": options})
            self.assertEqual(reply.text(), ALPHABET)
            reply = self.s.post("/v1/chat/completions", {"model": "a", "messages": chat, "stream": stream, "max_tokens": 26, "temperature": 0})
            if stream:
                events = [l[6:] for l in reply.body.decode().splitlines() if l.startswith("data: ")]
                self.assertEqual(events[-1], "[DONE]")
                text = "".join(c["delta"].get("content") or "" for e in events[:-1] for c in json.loads(e)["choices"])
            else:
                text = reply.json()["choices"][0]["message"]["content"]
            self.assertEqual(text, ALPHABET)
        self.assertEqual(len(self.s.post("/api/embed", {"model": "e", "input": "hi"}).json()["embeddings"]), 1)
        self.assertEqual(self.s.post("/v1/embeddings", {"model": "e", "input": "hi"}).status, 200)

    def test_chunks_come_one_by_one(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.s.port)
        body = json.dumps({"model": "a", "prompt": "hi!", "options": {"num_predict": -1}})  # without end
        connection.request("POST", "/api/generate", body)
        answer = connection.getresponse()
        for _ in range(20):
            self.assertFalse(json.loads(answer.readline())["done"])
        self.assertTrue(self.s.resident()["a"]["in_flight"])
        connection.close()
        answer.close()
        wait_for(lambda: not self.s.resident()["a"]["in_flight"], 20, "the end of what nobody reads")

    def test_mixed_num_ctx_never_reloads_a_model(self):
        self.s.generate("a", num_predict=2)
        pid = self.s.runner_of("a")
        for num_ctx in (2048, None, 4096, 1024, None):
            options = {"num_ctx": num_ctx} if num_ctx else {}
            self.assertEqual(self.s.generate("a", num_predict=2, options=options).status, 200)
            self.s.post("/v1/chat/completions", {"model": "a", "max_tokens": 2, "messages": [{"role": "user", "content": "x!"}]})
        self.assertEqual(self.s.runner_of("a"), pid)

    def test_pipelined_requests_are_answered_in_order(self):
        one = b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        out = raw(self.s.port, one * 3 + last)
        self.assertEqual(out.count(b"HTTP/1.1 200"), 4)
        self.assertTrue(out.endswith(b"Ollama is running"))

    def test_http_1_0_and_a_request_byte_by_byte(self):
        self.assertIn(b"Ollama is running", raw(self.s.port, b"GET / HTTP/1.0\r\n\r\n"))
        with socket.create_connection(("127.0.0.1", self.s.port)) as c:
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
                c.sendall(bytes([byte]))
            self.assertIn(b"Ollama is running", c.recv(4096) + c.recv(4096))

    def test_a_chunked_request_and_expect_continue(self):
        body = json.dumps({"model": "a", "prompt": "hi!", "stream": False, "options": {"num_predict": 26}}).encode()
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b"0\r\n\r\n"
        out = raw(self.s.port, b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
        self.assertIn(ALPHABET.encode(), out)
        with socket.create_connection(("127.0.0.1", self.s.port), timeout=30) as c:
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.assertEqual(c.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            c.sendall(body)
            self.assertIn(b"HTTP/1.1 200 OK", c.recv(65536))

    def test_a_blob_upload_streams_through(self):
        import hashlib
        data = b"x" * (8 << 20)
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual(request(self.s.port, "POST", "/api/blobs/sha256:" + digest, data).status, 201)
        # the second time the server answers without reading the body
        again = request(self.s.port, "HEAD", "/api/blobs/sha256:" + digest)
        self.assertEqual(again.status, 200)

    def test_smuggling_attempts_get_400_and_a_closed_connection(self):
        host = b"POST /api/show HTTP/1.1\r\nHost: localhost\r\n"
        for tail in (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
                     b"Content-Length: 0x2\r\n\r\n{}", b"X: a\r\n folded\r\n\r\n", b"X: a\nContent-Length: 2\r\n\r\n{}",
                     b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n"):
            with self.subTest(tail):
                out = raw(self.s.port, host + tail + b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(out.startswith(b"HTTP/1.1 400 "), out[:100])
                self.assertEqual(out.count(b"HTTP/1.1"), 1)
        out = raw(self.s.port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
        self.assertTrue(out.startswith(b"HTTP/1.1 431 "))

    def test_half_a_request_is_bounded_in_time(self):
        out = raw(self.s.port, b"GET / HTTP/1.1\r\nHost: loc")
        self.assertTrue(out.startswith(b"HTTP/1.1 408 "), out[:80])
        out = raw(self.s.port, b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        self.assertTrue(out.startswith(b"HTTP/1.1 408 "), out[:80])

    def test_a_foreign_host_or_origin_is_refused(self):
        self.assertEqual(request(self.s.port, "GET", "/api/tags", headers={"Host": "evil.example"}).status, 403)
        self.assertEqual(request(self.s.port, "GET", "/api/tags", headers={"Origin": "http://evil.example"}).status, 403)
        own = f"127.0.0.1:{self.s.port}"
        self.assertEqual(request(self.s.port, "GET", "/api/tags", headers={"Host": own, "Origin": "http://" + own}).status, 200)

    def test_a_slow_reader_holds_nobody_else_up(self):
        body = json.dumps({"model": "a", "prompt": "hi!", "options": {"num_predict": 3000}}).encode()
        with socket.create_connection(("127.0.0.1", self.s.port)) as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            wait_for(lambda: self.s.resident().get("a", {}).get("in_flight"), 20, "a busy")
            self.assertEqual(request(self.s.port, "GET", "/api/version").status, 200)


class Connections(EndToEnd):
    def test_beyond_the_bound_a_clear_503(self):
        s = self.serve(config="[gateway]\nmax_connections = 3\n", models=[("a", TINY)])
        body = json.dumps({"model": "a", "prompt": "hi!", "options": {"num_predict": -1}}).encode()
        busy = []
        for _ in range(3):
            c = socket.create_connection(("127.0.0.1", s.port))
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            busy.append(c)
        wait_for(lambda: s.status()["connections"] == 3, 20, "three connections")
        out = raw(s.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(out.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"max_connections", out)
        for c in busy:
            c.close()
        wait_for(lambda: request(s.port, "GET", "/api/version").status == 200, 20, "room again")


if __name__ == "__main__":
    unittest.main(verbosity=2)
