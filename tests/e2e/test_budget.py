"""The main job: models stay inside the budget, the least recently used idle one goes, and it says so."""
import threading
import time
import unittest

from harness import A128, ALPHABET, MIB, EndToEnd, MemorySampler, wait_for

THREE = [("a", A128 + ["--seed", "1"]), ("b", A128 + ["--seed", "2"]), ("c", A128 + ["--seed", "3"])]
ROOM_FOR_TWO = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n[policy]\nnotify = []\n'


class Budget(EndToEnd):
    def test_in_the_order_a_b_a_c_only_b_goes(self):
        s = self.serve(config=ROOM_FOR_TWO, models=THREE)
        for name in "aba":
            self.assertEqual(s.generate(name).json()["response"], ALPHABET)
        pid_a = s.runner_of("a")
        self.assertEqual(s.generate("c").json()["response"], ALPHABET)
        self.assertEqual(s.runner_of("a"), pid_a)
        self.assertIsNone(s.runner_of("b"))
        self.assertIsNotNone(s.runner_of("c"))
        evictions = s.events("eviction")
        self.assertEqual([e["model"] for e in evictions], ["b:latest"])
        self.assertRegex(evictions[0]["sentence"], r"Evicted b:latest \(last used .* ago\): least recently used.*c:latest needs .* gave back .* MB")
        self.assertGreater(evictions[0]["freed_bytes"], 130 * MIB)

    def test_a_model_whose_name_was_given_to_another_blob_is_still_the_one_that_goes(self):
        s = self.serve(config=ROOM_FOR_TWO, models=THREE)
        s.generate("a")
        old = s.runner_of("a")
        self.assertEqual(s.post("/api/copy", {"source": "b", "destination": "a"}).status, 200)
        self.assertEqual(s.generate("a").json()["response"], ALPHABET)
        new = s.runner_of("a")
        self.assertNotEqual(new, old)
        self.assertEqual(s.generate("c").json()["response"], ALPHABET)
        left = set(s.runners().values())
        self.assertNotIn(old, left)
        self.assertIn(new, left)
        self.assertEqual(s.generate("a").json()["response"], ALPHABET)
        self.assertEqual(s.runner_of("a"), new)

    def test_a_page_of_another_site_gets_its_403_and_moves_no_model(self):
        s = self.serve(config='[memory]\nlimit = "200MB"\n[context]\ndefault_num_ctx = 4096\n[policy]\nnotify = []\n', models=THREE[:2])
        s.generate("a")
        pid = s.runner_of("a")
        for headers in ({"Origin": "http://evil.example", "Content-Type": "text/plain"}, {"Origin": "null"}):
            self.assertEqual(s.post("/api/generate", {"model": "b", "prompt": "hi!"}, headers=headers).status, 403)
        self.assertEqual(s.events("eviction"), [])
        self.assertEqual(s.runner_of("a"), pid)
        self.assertEqual(s.post("/api/generate", {"model": "b", "stream": False}, headers={"Origin": "http://localhost:3000"}).status, 200)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["a:latest"])

    def test_three_models_at_once_twenty_times_never_pass_the_budget(self):
        s = self.serve(config=ROOM_FOR_TWO, models=THREE)
        failures = []

        def client(name, rounds=20):
            for i in range(rounds):
                reply = s.generate(name, prompt=f"hello {i}!", num_predict=5)
                if reply.status != 200 or reply.json()["response"] != "abcde":
                    failures.append((name, i, reply.status, reply.body))

        with MemorySampler(s) as memory:
            threads = [threading.Thread(target=client, args=(n,)) for n in "abc"]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        self.assertGreater(memory.peak, 250 * MIB)
        # agreed slack: the server's own process (Go) and what a runner touches beyond its forecast
        self.assertLess(memory.peak, 400 * MIB * 1.02 + 64 * MIB)

    def test_a_limit_lowered_under_load_is_kept_and_no_request_fails(self):
        s = self.serve(config=ROOM_FOR_TWO, models=THREE)
        stop, failures, done = threading.Event(), [], [0]

        def client(name):
            while not stop.is_set():
                reply = s.generate(name, num_predict=5)
                done[0] += 1
                if reply.status != 200:
                    failures.append((reply.status, reply.body))

        threads = [threading.Thread(target=client, args=(n,)) for n in "ab"]
        for t in threads:
            t.start()
        wait_for(lambda: done[0] > 6, 60, "requests")
        self.assertIn("200 MB", s.cli("limit", "200MB"))
        at = done[0]
        wait_for(lambda: done[0] > at + 10, 120, "requests after the limit")
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(s.runners()), 1)
        s.stop()
        s.start()
        self.assertEqual(s.status()["limit_bytes"], 200 * MIB)  # it was saved

    def test_a_model_that_can_never_fit_is_refused_at_once_and_nothing_is_evicted(self):
        s = self.serve(config='[memory]\nlimit = "400MB"\n', models=THREE[:2])
        s.generate("a")
        pid = s.runner_of("a")
        started = time.monotonic()
        native = s.generate("b", options={"num_ctx": 262144})
        self.assertLess(time.monotonic() - started, 5)  # no load was tried; the bound only ends a hang
        self.assertEqual(native.status, 503)
        self.assertRegex(native.json()["error"], r"b:latest needs .* GB of memory, more than the whole budget; the budget is 400 MB, held by .*a:latest")
        self.assertEqual(s.runner_of("a"), pid)
        self.assertEqual(s.events("eviction"), [])
        self.assertEqual(len(s.events("refusal")), 1)

    def test_a_refusal_on_v1_has_openais_form(self):
        s = self.serve(config='[memory]\nlimit = "64MB"\n', models=THREE[:1])
        reply = s.post("/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "hi!"}]})
        self.assertEqual(reply.status, 503)
        self.assertIn("more than the whole budget", reply.json()["error"]["message"])
        reply = s.post("/v1/messages", {"model": "a", "max_tokens": 5, "messages": [{"role": "user", "content": "hi!"}]})
        self.assertEqual(reply.json()["error"]["type"], "overloaded_error")


if __name__ == "__main__":
    unittest.main(verbosity=2)
