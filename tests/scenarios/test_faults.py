"""What a real Ollama cannot be told to do, done by the fake one (tests/support/fake_ollama.h) behind the real program."""
import http.client
import json
import os
import signal
import socket
import stat
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import A128, MIB, EndToEnd, Supervisor, need, request, wait_for  # noqa: E402

TWO = [("a", A128 + ["--seed", "1"]), ("b", A128 + ["--seed", "2"])]
ROOM_FOR_ONE = '[memory]\nlimit = "250MB"\nunload_timeout = "2s"\n[context]\ndefault_num_ctx = 4096\n[policy]\nnotify = []\n'
HELD_MIB = 150  # about the forecast of these models, so that what is measured is what was expected


def fake_ollama():
    return os.path.join(need("LLV_BIN"), "fake_ollama")


class Faults(EndToEnd):
    def faulty(self, config=ROOM_FOR_ONE, models=TWO, **fake):
        fake = {"runners": True, "models": {name: HELD_MIB for name, _ in models}, **fake}
        s = self.serve(config=config, models=models, ollama=fake_ollama(),
                       env={"FAKE_OLLAMA": json.dumps(fake)})
        self.backend = s.status()["server"]["port"]
        return s

    def change(self, **fake):
        self.assertEqual(request(self.backend, "POST", "/fake/config", fake).status, 200)

    def state(self):
        return request(self.backend, "GET", "/fake/state").json()

    def loaded(self):
        return sorted(m["name"].removesuffix(":latest") for m in self.state()["loaded"])

    def warnings(self, s):
        return " ".join(s.status()["warnings"])

    # --- the listing ---
    def test_an_ollama_without_its_listing_is_kept_inside_the_budget_by_its_processes(self):
        s = self.faulty(ps="missing")
        self.assertEqual(s.generate("a").status, 200)
        wait_for(lambda: s.resident()["a"].get("footprint_bytes", 0) > HELD_MIB * MIB, 20, "a's measured footprint")
        self.assertIn("/api/ps", self.warnings(s))
        self.assertEqual(s.generate("b").status, 200)
        self.assertEqual(self.loaded(), ["b"])
        self.assertEqual([e["model"] for e in s.events("eviction")], ["a:latest"])

    def test_a_listing_that_stops_answering_is_said_and_holds_nobody_up(self):
        s = self.faulty()
        self.assertEqual(s.generate("a").status, 200)
        self.change(ps="hang")
        self.assertEqual(s.generate("a").status, 200)
        self.assertEqual(s.generate("b", timeout=60).status, 200)
        self.assertEqual(self.loaded(), ["b"])
        wait_for(lambda: "/api/ps" in self.warnings(s), 60, "the warning")
        self.change(ps="ok")
        wait_for(lambda: "/api/ps" not in self.warnings(s), 60, "the end of the warning")

    # --- unloading and loading ---
    def test_a_model_that_says_yes_and_stays_is_ended_at_the_deadline_and_only_that_one(self):
        s = self.faulty(config=ROOM_FOR_ONE.replace("250MB", "400MB"), models=TWO + [("c", A128 + ["--seed", "3"])])
        for name in "ab":
            self.assertEqual(s.generate(name).status, 200)
        pid_a, pid_b = s.runner_of("a"), s.runner_of("b")
        self.change(unload="never")
        self.assertEqual(s.generate("c", timeout=60).status, 200)
        self.assertFalse(os.path.exists(f"/proc/{pid_a}"), "a's runner was to be ended")
        self.assertEqual(s.runner_of("b"), pid_b)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["a:latest"])

    def test_a_load_that_fails_gives_its_room_back(self):
        s = self.faulty(load_error="llama runner process has terminated: boom")
        for _ in range(3):
            reply = s.generate("a")
            self.assertEqual((reply.status, reply.json()["error"]), (500, "llama runner process has terminated: boom"))
        wait_for(lambda: s.status()["used_bytes"] == 0, 30, "nothing charged")
        self.change(load_error="")
        self.assertEqual(s.generate("b").status, 200)

    def test_a_client_that_leaves_while_its_model_loads_leaves_no_lease_behind(self):
        s = self.faulty(load_ms=1500)
        body = json.dumps({"model": "a", "prompt": "hi!"}).encode()
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            wait_for(lambda: s.resident().get("a", {}).get("in_flight"), 20, "the load")
        wait_for(lambda: self.state()["aborted"] == 1, 20, "the cancelled request")
        wait_for(lambda: not s.resident().get("a", {}).get("in_flight"), 20, "no lease")
        self.assertEqual(s.generate("b", timeout=60).status, 200)

    # --- answers ---
    def test_an_answer_that_is_cut_is_never_made_whole(self):
        s = self.faulty()
        s.generate("a")
        for framing in ("cut", "reset"):
            self.change(framing=framing, cut_after=1)
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                request(s.port, "POST", "/api/generate", {"model": "a", "prompt": "hi!"})
            wait_for(lambda: not s.resident()["a"]["in_flight"], 20, "no lease")
        self.change(framing="auto")
        self.assertEqual(s.generate("a").status, 200)

    def test_every_framing_of_an_answer_passes(self):
        s = self.faulty()
        s.generate("a")
        for framing in ("chunked", "content_length", "until_close", "http10", "chunk_extras"):
            self.change(framing=framing)
            replies = [s.post("/api/generate", {"model": "a", "prompt": "hi!"}) for _ in range(2)]
            for reply in replies:
                self.assertEqual(reply.status, 200, framing)
                text = "".join(json.loads(line).get("response", "") for line in reply.body.splitlines() if line)
                self.assertEqual(text, "abcdefghi", framing)

    def test_an_interim_answer_passes_before_the_final_one(self):
        s = self.faulty()
        self.change(framing="interim")
        body = b'{"model": "a", "prompt": "hi!", "stream": false}'
        with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = b"".join(iter(lambda: c.recv(65536), b""))
        self.assertTrue(answer.startswith(b"HTTP/1.1 103 "), answer[:200])
        self.assertEqual(answer.count(b"HTTP/1.1 200 "), 1)
        self.assertIn(b"abcdefghi", answer)

    def test_pieces_arrive_one_by_one(self):
        s = self.faulty()
        s.generate("a")
        self.change(hold=True)
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=20)
        self.addCleanup(c.close)
        c.request("POST", "/api/generate", json.dumps({"model": "a", "prompt": "hi!"}))
        answer = c.getresponse()
        for piece in ("abc", "def", "ghi"):
            self.assertEqual(json.loads(answer.readline())["response"], piece)
            request(self.backend, "POST", "/fake/release")

    # --- hostile requests: each may fail, none may end the program or touch the next one ---
    def exchange(self, s, data, seconds=20):
        with socket.create_connection(("127.0.0.1", s.port), timeout=seconds) as c:
            c.sendall(data)  # the last request of `data` must end the connection
            return b"".join(iter(lambda: c.recv(65536), b""))

    def post_text(self, body, headers=b""):
        return b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s" % (headers, len(body), body)

    def test_a_pipeline_that_is_split_at_any_byte_is_answered_the_same(self):
        s = self.faulty()
        self.assertEqual(s.generate("a").status, 200)
        body = b'{"model":"a","prompt":"hi!","stream":false,"options":{"num_ctx":2048}}'
        head = b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\n"
        chunks = b"9\r\n" + body[:9] + b"\r\n%x;x=y\r\n" % (len(body) - 9) + body[9:] + b"\r\n0\r\nT: u\r\n\r\n"
        data = (head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        for at in range(1, len(data), 2):
            with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                c.sendall(data[:at])
                time.sleep(0.002)  # so that the pieces arrive apart; together they would pass all the same
                c.sendall(data[at:])
                answer = b"".join(iter(lambda: c.recv(65536), b""))
            self.assertEqual((answer.count(b"HTTP/1.1 200"), answer.count(b"abcdefghi")), (3, 2), (at, answer))
        self.assertEqual(s.resident()["a"]["in_flight"], 0)

    def test_words_that_begin_like_null_are_only_bad_json(self):
        s = self.faulty()
        for body in (b'{"model":"a","options":nope}', b'{"model":"a","options":n}', b'{"model":nope}',
                     b'{"model":"a","keep_alive":nope}', b'{"model":"a","options":{"num_ctx":nope}}'):
            self.exchange(s, self.post_text(body))
        self.assertEqual(s.generate("a").status, 200)

    def test_a_compressed_body_on_a_native_route_is_never_edited(self):
        s = self.faulty(config=ROOM_FOR_ONE + '[models."a"]\nkeep_alive = "1h"\n')
        plain = b'{"model":"a","prompt":"hi!","options":{"num_ctx":2048}}'
        frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(plain)]) + (len(plain) << 3 | 1).to_bytes(3, "little") + plain
        self.exchange(s, self.post_text(frame, b"Content-Encoding: zstd\r\n"))
        last = request(self.backend, "GET", "/fake/last").body.decode("utf-8", "replace")
        self.assertEqual(json.loads(last)["body_bytes"], len(frame))
        self.assertEqual(s.generate("a").status, 200)

    def test_an_error_after_a_head_request_has_a_body_and_the_right_form(self):
        s = self.faulty()
        bad = b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"
        answer = self.exchange(s, b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bad)
        head, _, body = answer[answer.index(b"HTTP/1.1 400"):].partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(body), head)
        self.assertGreater(len(body), 0)

    def test_a_half_head_behind_a_whole_request_is_given_up_in_time(self):
        s = self.faulty(config=ROOM_FOR_ONE + '[gateway]\nhead_timeout = "1s"\n')
        with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
            c.sendall(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/ver")
            answer = b"".join(iter(lambda: c.recv(65536), b""))
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 1)
        self.assertIn(b"HTTP/1.1 408", answer)

    def test_a_request_older_than_the_hold_time_is_still_held_when_its_server_dies(self):
        s = self.breakable(ROOM_FOR_ONE + '[gateway]\nhold_timeout = "8s"\n')
        backend = s.status()["server"]["port"]
        request(backend, "POST", "/fake/config", {"hold": True, "hold_first": True})
        s.get("/api/version")  # its connection is used again, and might have been dropped by the server at any time
        replies = []
        waiting = threading.Thread(target=lambda: replies.append(s.generate("a", timeout=60)))
        waiting.start()
        wait_for(lambda: s.resident().get("a", {}).get("in_flight"), 20, "the request")
        since = time.monotonic()
        wait_for(lambda: time.monotonic() - since > 9, 20, "a request older than the hold time")
        broken = os.path.join(s.home, "broken")
        open(broken, "w").close()
        os.kill(s.server_pid(), signal.SIGKILL)
        wait_for(lambda: replies or s.log().count("started again") > 1, 20, "a server that does not come back at once")
        os.unlink(broken)
        waiting.join()
        self.assertEqual(replies[0].status, 200)

    def test_a_model_whose_client_left_before_its_first_answer_can_go(self):
        s = self.breakable(ROOM_FOR_ONE + '[monitor]\ninterval = "1s"\n')
        backend = s.status()["server"]["port"]
        request(backend, "POST", "/fake/config", {"hold": True, "hold_first": True})
        with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
            c.sendall(self.post_text(b'{"model":"a","prompt":"hi!"}'))
            wait_for(lambda: s.resident().get("a", {}).get("in_flight"), 20, "the request")
        request(backend, "POST", "/fake/config", {"hold": False, "hold_first": False})
        wait_for(lambda: s.resident().get("a", {}).get("state") == "ready", 20, "the load to be settled")
        self.assertEqual(s.generate("b", timeout=30).status, 200)

    # --- a prompt that is too long ---
    def test_a_refusal_is_weighed_in_every_framing_and_passed_on_when_it_is_another_or_too_large(self):
        refusal = "request (6002 tokens) exceeds the available context size (2048 tokens), try increasing it"
        s = self.faulty()
        for framing in ("content_length", "chunked", "chunk_extras", "until_close", "http10"):
            with self.subTest(framing):
                self.change(framing=framing, too_long=refusal, pause_ms=50)
                marked = s.generate("a")
                self.assertEqual((marked.status, marked.json()["response"]), (200, "abcdefghi"))
                self.assertEqual(marked.headers["Llamavisor-Truncated"], "prompt_tokens=6002, num_ctx=2048")
                self.change(too_long="something else is wrong")
                other = s.generate("a")
                self.assertEqual((other.status, other.json()["error"]), (400, "something else is wrong"))
                self.change(too_long=refusal + "x" * (200 << 10))
                huge = s.generate("a")
                self.assertEqual((huge.status, len(huge.json()["error"])), (400, len(refusal) + (200 << 10)))
        self.assertEqual(s.resident()["a"]["overflows"], 5)
        self.change(framing="cut", too_long=refusal)  # the server dies in the middle of its refusal
        with self.assertRaises((OSError, http.client.HTTPException)):
            s.generate("a")
        self.change(framing="auto", too_long="")
        self.assertEqual(s.generate("a").status, 200)

    # --- the server's life ---
    def test_a_server_that_writes_without_end_is_read_without_end(self):
        s = self.faulty(log_bytes=32 << 20)
        self.assertEqual(s.generate("a").status, 200)
        self.assertIn("x" * 100, s.cli("logs"))

    def test_a_server_that_will_not_stop_is_stopped(self):
        s = self.faulty(ignore_sigterm=True)
        s.generate("a")
        tree = s.tree()
        self.assertEqual(s.stop(), 0)
        self.assertEqual([p for p in tree if os.path.exists(f"/proc/{p}")], [])

    def test_a_server_that_ends_at_once_is_told_with_its_last_words(self):
        s = Supervisor(ollama=fake_ollama(),
                       env={"FAKE_OLLAMA": json.dumps({"exit_at_once": 7, "say": "no such luck"})})
        self.addCleanup(self.finish, s)
        s.start(wait=False)
        self.assertEqual(s.process.wait(60), 1)
        self.assertIn("no such luck", s.log())
        self.assertRegex(s.log(), r"\b7\b")

    def test_a_server_that_never_answers_is_given_up_after_its_time(self):
        s = Supervisor(config='[server]\nready_timeout = "1s"\n', ollama=fake_ollama(),
                       env={"FAKE_OLLAMA": json.dumps({"never_ready": True})})
        self.addCleanup(self.finish, s)
        s.start(wait=False)
        self.assertEqual(s.process.wait(60), 1)
        self.assertIn("/api/version", s.log())

    def breakable(self, config):
        """A server that ends at once for as long as the file `broken` is there."""
        s = Supervisor(config=config, models=TWO, ollama=fake_ollama(), env={"FAKE_OLLAMA": json.dumps({"runners": True})})
        self.addCleanup(self.finish, s)
        s.ollama = os.path.join(s.home, "ollama")
        with open(s.ollama, "w") as f:
            f.write(f'#!/bin/sh\n[ ! -e "{s.home}/broken" ] || exit 3\nexec "{fake_ollama()}" "$@"\n')
        os.chmod(s.ollama, os.stat(s.ollama).st_mode | stat.S_IXUSR)
        return s.start()

    def test_requests_wait_while_a_server_fails_to_come_back_twice_and_then_does(self):
        s = self.breakable(ROOM_FOR_ONE)
        open(os.path.join(s.home, "broken"), "w").close()
        os.kill(s.server_pid(), signal.SIGKILL)
        replies = []
        waiting = threading.Thread(target=lambda: replies.append(s.generate("a", timeout=100)))
        waiting.start()
        wait_for(lambda: s.log().count("before it was ready; it is started again") >= 2, 60, "two failed starts")
        self.assertEqual(replies, [])
        os.remove(os.path.join(s.home, "broken"))
        waiting.join()
        self.assertEqual(replies[0].status, 200)

    def test_requests_that_waited_long_enough_for_a_server_are_told_to_come_again(self):
        s = self.breakable(ROOM_FOR_ONE + '[gateway]\nhold_timeout = "1s"\n')
        open(os.path.join(s.home, "broken"), "w").close()
        os.kill(s.server_pid(), signal.SIGKILL)
        for path, body in (("/api/generate", {"model": "a", "prompt": "hi!"}),
                           ("/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "hi!"}]})):
            reply = s.post(path, body, timeout=60)
            self.assertEqual(reply.status, 503)
            self.assertGreater(int(reply.headers["Retry-After"]), 0)
            self.assertTrue(reply.json()["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
