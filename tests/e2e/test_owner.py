"""The owner's word: keep_alive that wins over the client's, and pins that no policy touches."""
import time
import unittest

from harness import A128, TINY, EndToEnd, wait_for

KEEP = """
[memory]
limit = "2GB"
[context]
default_num_ctx = 4096
[monitor]
interval = "1s"
[models.a]
keep_alive = "-1"
[models.b]
keep_alive = "3s"
"""


class KeepAlive(EndToEnd):
    def test_the_owners_keep_alive_wins_over_every_form_a_client_sends(self):
        s = self.serve(config=KEEP, models=[("a", TINY), ("b", TINY + ["--seed", "2"])])
        s.generate("a")
        pid = s.runner_of("a")
        message = [{"role": "user", "content": "hi!"}]
        for value in (0, "30s", "-1", -1):
            for path, body in (("/api/generate", {"prompt": "hi!", "options": {"num_predict": 3}, "stream": False}),
                               ("/api/chat", {"messages": message, "options": {"num_predict": 3}, "stream": False})):
                for model in "ab":
                    reply = s.post(path, {"model": model, "keep_alive": value, **body})
                    self.assertEqual(reply.status, 200, (path, value, reply.body))
        for model in "ab":
            reply = s.post("/v1/chat/completions", {"model": model, "messages": message, "max_tokens": 3})
            self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(s.runner_of("a"), pid)
        wait_for(lambda: s.runner_of("b") is None, 30, "b to expire after the owner's 3 s")
        self.assertEqual(s.runner_of("a"), pid)
        # a bare unload of a client does not unload what the owner keeps for ever
        s.post("/api/generate", {"model": "a", "keep_alive": 0})
        time.sleep(1)
        self.assertEqual(s.runner_of("a"), pid)

    def test_a_bare_unload_of_a_model_that_is_not_there_loads_nothing(self):
        s = self.serve(config=KEEP, models=[("a", TINY)])
        reply = s.post("/api/generate", {"model": "a", "keep_alive": 0})
        self.assertEqual((reply.status, reply.json()["done_reason"]), (200, "unload"))
        self.assertEqual(s.resident(), {})
        self.assertEqual(s.events("model_loaded"), [])

    def test_a_load_by_v1_gets_the_owners_keep_alive_too(self):
        s = self.serve(config=KEEP, models=[("b", TINY)])
        reply = s.post("/v1/chat/completions", {"model": "b", "messages": [{"role": "user", "content": "hi!"}], "max_tokens": 3})
        self.assertEqual(reply.status, 200, reply.body)
        self.assertIsNotNone(s.runner_of("b"))
        wait_for(lambda: s.runner_of("b") is None, 30, "b to expire after the owner's 3 s")

    def test_a_client_may_unload_what_the_owner_says_nothing_about(self):
        s = self.serve(models=[("c", TINY)])
        s.generate("c")
        reply = s.post("/api/generate", {"model": "c", "keep_alive": 0})
        self.assertEqual(reply.json()["done_reason"], "unload")
        wait_for(lambda: not s.resident(), 20, "the ledger to notice")


class Pins(EndToEnd):
    CONFIG = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n[policy]\nnotify = []\n'
    MODELS = [("a", A128 + ["--seed", "1"]), ("b", A128 + ["--seed", "2"]), ("c", A128 + ["--seed", "3"])]

    def test_a_pinned_model_is_never_the_victim(self):
        s = self.serve(config=self.CONFIG, models=self.MODELS)
        s.cli("pin", "a")
        s.generate("a")
        pid = s.runner_of("a")
        for name in "bcb":
            self.assertEqual(s.generate(name, num_predict=3).status, 200)
        self.assertEqual(s.runner_of("a"), pid)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["b:latest", "c:latest"])
        self.assertIn("pinned", s.cli("evict", "a", code=1))
        s.cli("unpin", "a")
        s.cli("evict", "a")
        self.assertIsNone(s.runner_of("a"))

    def test_when_pins_hold_everything_the_refusal_names_them(self):
        s = self.serve(config=self.CONFIG + "[models.a]\npin = true\n[models.b]\npin = true\n", models=self.MODELS)
        s.generate("a")
        s.generate("b")
        reply = s.generate("c")
        self.assertEqual(reply.status, 503)
        self.assertIn("pinned a:latest", reply.json()["error"])
        self.assertIn("pinned b:latest", reply.json()["error"])

    def test_names_that_share_a_blob_share_the_pin(self):
        s = self.serve(config=self.CONFIG + "[models.a]\npin = true\n", models=self.MODELS)
        self.assertEqual(s.post("/api/copy", {"source": "a", "destination": "also-a"}).status, 200)
        s.generate("a")
        pid = s.runner_of("a")
        self.assertEqual(s.generate("also-a", num_predict=3).status, 200)
        for name in "bc":
            self.assertEqual(s.generate(name, num_predict=3).status, 200)
        self.assertEqual(s.runner_of("a"), pid)


if __name__ == "__main__":
    unittest.main(verbosity=2)
