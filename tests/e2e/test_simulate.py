"""Replay against reality: Ollama's own order of victims, and a recorded history that is played again."""
import json
import os
import random
import signal
import subprocess
import time
import unittest

from harness import A128, TINY, EndToEnd, Supervisor, free_port, need, request, slurp, wait_for

SECRET = "xylophonequartz"


def simulate(s, *args):
    return json.loads(s.cli("simulate", *args, "--json"))


class OllamasOwnOrder(EndToEnd):
    """A bare Ollama that holds three models at most is asked for five."""
    NAMES = "abcde"

    def setUp(self):
        self.home = Supervisor(models=[(n, TINY + ["--seed", str(i)]) for i, n in enumerate(self.NAMES)])
        self.addCleanup(self.finish, self.home)
        self.port = free_port()
        with open(self.home.output, "ab") as log:
            self.server = subprocess.Popen(
                [self.home.ollama, "serve"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**self.home.env, "OLLAMA_HOST": f"127.0.0.1:{self.port}", "OLLAMA_MAX_LOADED_MODELS": "3"})
        self.addCleanup(self.end)
        wait_for(self.answers, 90, "ollama ready")

    def answers(self):
        try:
            return request(self.port, "GET", "/api/version", timeout=5).status == 200
        except OSError:
            return False

    def end(self):
        self.server.send_signal(signal.SIGTERM)
        try:
            self.server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()

    def loaded(self):
        return {m["name"] for m in request(self.port, "GET", "/api/ps").json()["models"]}

    def blob(self, name):
        manifest = json.loads(slurp(f"{self.home.models}/manifests/registry.ollama.ai/library/{name}/latest"))
        return next(layer["digest"] for layer in manifest["layers"] if layer["mediaType"].endswith("image.model"))

    def sequence(self):
        dice = random.Random(4)
        for _ in range(24):
            yield dice.choice(self.NAMES), dice.choice([None, None, 600, 1200, -1])

    def ask(self, name, keep_alive):
        body = {"model": name, "prompt": "hi!", "stream": False, "options": {"num_predict": 2}}
        if keep_alive is not None:
            body["keep_alive"] = keep_alive
        self.assertEqual(request(self.port, "POST", "/api/generate", body).status, 200)

    def trace(self, sequence):
        lines = [{"model": f"{n}:latest", "bytes": 1 << 20, "reload_ms": 100, "blob": self.blob(n)} for n in self.NAMES]
        for i, (name, keep_alive) in enumerate(sequence):
            line = {"at_ms": 1000 * (i + 1), "use": f"{name}:latest", "service_ms": 10}
            lines.append(line if keep_alive is None else {**line, "keep_alive_ms": 1000 * keep_alive})
        path = os.path.join(self.home.home, "trace.jsonl")
        with open(path, "w") as f:
            f.writelines(json.dumps(line) + "\n" for line in lines)
        return path

    def test_the_same_sequence_has_the_same_victims(self):
        sequence, victims = list(self.sequence()), []
        for name, keep_alive in sequence:
            before = self.loaded()
            self.ask(name, keep_alive)
            wait_for(lambda: f"{name}:latest" in self.loaded() and len(self.loaded()) <= 3, 30, "a settled server")
            victims += sorted(before - self.loaded())
        self.assertGreaterEqual(len(victims), 5, "the sequence evicts too little to tell orders apart")
        replayed = simulate(self.home, "--from", self.trace(sequence), "--policy", "ollama,lru", "--limit", "1GB")
        mine = {row["policy"]: row["victims"] for row in replayed["results"]}
        self.assertEqual(mine["ollama"], victims)
        self.assertNotEqual(mine["lru"], victims)


class History(EndToEnd):
    CONFIG = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n[server]\nkeep_alive = "-1"\n[policy]\nnotify = []\n'
    MODELS = [(n, A128 + ["--seed", str(i)]) for i, n in enumerate("abc", 1)]

    def path(self, s):
        return os.path.join(s.home, "state", "llamavisor", "history.db")

    def stored(self, s):
        folder = os.path.dirname(self.path(s))
        return b"".join(slurp(os.path.join(folder, f), "rb") for f in os.listdir(folder) if f.startswith("history"))

    def test_what_was_recorded_replays_as_it_was(self):
        s = self.serve(config=self.CONFIG, models=self.MODELS)
        asked = ["a", "b", "a", "c", "b", "b", "a"]
        for name in asked:
            answer = s.generate(name, prompt=f"{SECRET}!", num_predict=26)
            self.assertEqual(answer.status, 200)
            time.sleep(1.5)  # a replay loads in the mean of a model's times: that must not change the order
        wait_for(lambda: len(s.events("eviction")) >= 2, 30, "the evictions' events")
        evicted = [e["model"] for e in s.events("eviction")]
        loads = len(s.events("model_loaded"))
        s.stop()
        replayed = simulate(s, "--history", "1d", "--policy", "lru", "--limit", "400MB")["results"][0]
        self.assertEqual(replayed["requests"], len(asked))
        self.assertEqual(replayed["loads"], loads)
        self.assertEqual(replayed["victims"], evicted)
        self.assertGreater(replayed["reload_s"], 0)
        stored = self.stored(s)
        self.assertIn(b"a:latest", stored)
        self.assertNotIn(SECRET.encode(), stored)
        self.assertNotIn(b"abcdefgh", stored)  # the answer
        s.start()  # it survives a restart, and goes on
        self.assertEqual(s.generate("a").status, 200)
        s.stop()
        again = simulate(s, "--history", "1d", "--policy", "lru", "--limit", "400MB")["results"][0]
        self.assertEqual(again["requests"], len(asked) + 1)
        self.assertIn("Removed", s.cli("history", "prune", "--older-than", "0"))
        self.assertEqual(simulate(s, "--history", "1d", "--policy", "lru", "--limit", "400MB")["trace"]["requests"], 0)

    def test_a_damaged_history_is_moved_aside_and_said(self):
        s = Supervisor(config=self.CONFIG, models=[("a", TINY)])
        self.addCleanup(self.finish, s)
        os.makedirs(os.path.dirname(self.path(s)))
        with open(self.path(s), "w") as f:
            f.write("no database " * 1000)
        s.start()
        wait_for(lambda: "the old file is" in s.log(), 30, "the warning")
        self.assertEqual(s.generate("a").status, 200)
        s.stop()
        self.assertTrue(slurp(self.path(s) + ".damaged").startswith("no database"))
        self.assertEqual(simulate(s, "--history", "1d", "--policy", "lru")["trace"]["requests"], 1)

    def test_switched_off_nothing_is_kept(self):
        s = self.serve(config=self.CONFIG + "[history]\nenabled = false\n", models=[("a", TINY)])
        self.assertEqual(s.generate("a").status, 200)
        s.stop()
        self.assertFalse(os.path.exists(self.path(s)))
        self.assertIn("could not open the history", s.cli("simulate", "--history", "1d", code=2))


if __name__ == "__main__":
    need("LLV_OLLAMA")
    unittest.main(verbosity=2)
