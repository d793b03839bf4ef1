#!/usr/bin/env python3
"""Plugins swapped, shadowed, reconfigured and crashed at random under a real Ollama with requests in flight.

usage: tests/soak/plugins.py [--seconds N] [--seed N]   (20 minutes; ctest runs one)
Environment as in e2e/harness.py. The seed gives the same sequence of deeds again, though not the same moments.

No request may fail but by a refusal of llamavisor's own (503 with Retry-After), the supervisor is one process from
the first to the last second, and its memory, mappings, descriptors and threads stay level. What crashes does so
isolated: a crash in llamavisor's own process ends it and its requests (e2e/test_bad_plugins.py).
"""
import argparse
import collections
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import A128, TINY, EndToEnd, Supervisor, footprint, slurp, wait_for  # noqa: E402

ZOO = os.path.join(os.path.dirname(os.environ["LLV_MAKE_MODEL"]), "bad_plugins")
POLICIES = ("lru", "lfu", "largest", "gdsf", "idle_ttl", "composite")
CRASHING = ("crashes", "aborts", "exits", "allocates", "hangs", "forges", "leaks_exception")  # isolated
WRONG = ("throws", "bad_index", "nan_score", "long_text", "long_state", "same_model_twice", "overruns")
UNFIT = ("no_symbol", "wrong_magic", "short_struct", "null_callback", "duplicate_id", "create_fails", "crashes_on_load")
MODELS = [("a", A128), ("b", A128 + ["--seed", "2"]), ("c", TINY + ["--seed", "3"]), ("d", TINY + ["--seed", "4"])]
CONFIG = """[memory]
limit = "{limit}"
[context]
default_num_ctx = 4096
[policy]
notify = []
deadline = "{deadline}"
[plugins]
dirs = ["{folder}"]
[plugins.lfu]
half_life = "{half_life}"
isolate = {isolate}
[plugins.gdsf]
half_life = "{half_life}"
[plugins.largest]
isolate = {isolate}
"""


class Clients:
    """Requests one after another on a few threads; each answer is looked at."""

    def __init__(self, supervisor, seed):
        self.supervisor, self.stopped = supervisor, threading.Event()
        self.served, self.refused, self.failed = collections.Counter(), collections.Counter(), []
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed * 100 + i),)) for i in range(4)]

    def run(self, rng):
        while not self.stopped.is_set():
            name = rng.choice("aabcd")
            try:
                self.judge(name, self.supervisor.generate(name, num_predict=3, stream=rng.random() < 0.5))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failed.append((name, repr(error)))

    def judge(self, name, reply):
        if reply.status == 200 and reply.text() == "abc":
            self.served[name] += 1
        elif reply.status == 503 and "Retry-After" in reply.headers:
            self.refused[reply.body.decode(errors="replace")] += 1
        else:
            self.failed.append((name, reply.status, reply.body[-500:]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class Deeds:
    """What is done to the plugins. Each checks the answer that it gets."""

    def __init__(self, test, supervisor, folder, rng):
        self.test, self.supervisor, self.folder, self.rng = test, supervisor, folder, rng
        self.done = collections.Counter()
        self.last = "none"
        self.choices = ((self.swap, 6), (self.shadow, 3), (self.reconfigure, 3), (self.crash, 3), (self.wrong, 2),
                        (self.unfit, 2), (self.kill_helpers, 2), (self.break_configuration, 1))

    def any(self):
        deed = self.rng.choices([d for d, _ in self.choices], [w for _, w in self.choices])[0]
        self.done[deed.__name__] += 1
        deed()

    def ask(self, expected, path, **body):
        self.last = f"{path} {body}"
        answer = self.supervisor.control(path, body)
        self.test.assertEqual(answer.status, expected, f"{self.last}: {answer.body}")

    def use(self, name, expected=200):
        self.ask(expected, "/v1/plugin/use", role="eviction", name=name)

    def lock_up(self, name):
        """Replaced as an installer replaces a file."""
        path = os.path.join(self.folder, name + ".so")
        shutil.copy(os.path.join(ZOO, name + ".so"), path + ".new")
        os.rename(path + ".new", path)

    def swap(self):
        self.use(self.rng.choice(POLICIES))

    def shadow(self):
        self.ask(200, "/v1/plugin/shadow", role="eviction", name=self.rng.choice(POLICIES + ("off",)))

    def crash(self):
        name = self.rng.choice(CRASHING)
        self.lock_up(name)
        self.use(name)

    def wrong(self):
        name = self.rng.choice(WRONG)
        self.lock_up(name)
        self.use(name)

    def unfit(self):
        """The folder's older files stay: only this one is asked for by its name."""
        name = self.rng.choice(UNFIT)
        self.lock_up(name)
        self.use(name, expected=422)
        os.unlink(os.path.join(self.folder, name + ".so"))

    def configure(self, limit="300MB"):
        text = CONFIG.format(limit=limit, folder=self.folder, half_life=f"{self.rng.randint(1, 60)}m",
                             deadline=f"{self.rng.randint(200, 1000)}ms", isolate=self.rng.choice(("true", "false")))
        text += "".join(f"[plugins.{name}]\nisolate = true\n" for name in CRASHING)
        with open(self.supervisor.config + ".new", "w") as f:
            f.write(text)
        os.rename(self.supervisor.config + ".new", self.supervisor.config)

    def reconfigure(self):
        self.configure(self.rng.choice(("280MB", "300MB", "320MB")))
        self.ask(200, "/v1/reload")

    def break_configuration(self):
        with open(self.supervisor.config, "a") as f:
            f.write("[memory\n")
        self.ask(422, "/v1/reload")
        self.configure()

    def kill_helpers(self):
        for pid in self.supervisor.helpers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def held(pid):
    """What the supervisor holds: kB of memory of its own, mappings, descriptors, threads."""
    return {"kB": footprint(pid) // 1024, "mappings": len(slurp(f"/proc/{pid}/maps").splitlines()),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task"))}


class Soak(EndToEnd):
    seconds, seed = 1200, 1

    def test_plugins_swapped_shadowed_reconfigured_and_crashed(self):
        s = Supervisor(models=MODELS)
        self.addCleanup(self.finish, s)
        folder = os.path.join(s.home, "plugins")
        os.makedirs(folder)
        deeds = Deeds(self, s, folder, random.Random(self.seed))
        deeds.configure()
        s.start()
        samples = []
        with Clients(s, self.seed) as clients:
            end = time.monotonic() + self.seconds
            while time.monotonic() < end and not clients.failed:
                deeds.any()
                samples.append(held(s.process.pid))
                self.assertIsNone(s.process.poll(), f"the supervisor ended after {deeds.last}")
                time.sleep(deeds.rng.uniform(0, 0.3))
        print(f"seed {self.seed}, {self.seconds} s: {sum(clients.served.values())} requests served, "
              f"{sum(clients.refused.values())} refused, {len(clients.failed)} failed; {dict(deeds.done)}")
        print("refusals:", dict(clients.refused))
        self.assertEqual(clients.failed, [], f"after {deeds.last}")
        for name, _ in MODELS:
            self.assertGreater(clients.served[name], 0, name)
        self.assert_level(samples)
        self.assert_tidy(s, deeds)

    def assert_level(self, samples):
        """The last quarter's median beside the second one's: the first one warms up, and peaks come and go."""
        quarter = len(samples) // 4
        for what, slack in (("kB", 3 * 1024), ("mappings", 12), ("descriptors", 8), ("threads", 4)):
            early, late = (statistics.median(x[what] for x in part) for part in (samples[quarter:2 * quarter], samples[-quarter:]))
            peak = max(x[what] for x in samples)
            print(f"{what}: {early:.0f} in the second quarter, {late:.0f} in the last, {peak} at most")
            self.assertLessEqual(late, early * 1.05 + slack, what + " grow")

    def assert_tidy(self, s, deeds):
        """With a policy of our own in charge there is no helper, no copy of a library, nothing in quarantine."""
        deeds.ask(200, "/v1/plugin/shadow", role="eviction", name="off")
        deeds.use("lru")
        wait_for(lambda: not s.helpers(), 30, "the end of the helpers")
        self.assertEqual(s.status()["quarantine"], [])
        self.assertEqual(s.generate("c", num_predict=3).text(), "abc")
        wait_for(lambda: os.listdir(os.path.join(s.env["XDG_RUNTIME_DIR"], "llamavisor", "plugins")) == [], 10, "the end of the copies")


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=int, default=Soak.seconds)
    words.add_argument("--seed", type=int, default=Soak.seed)
    given = words.parse_args()
    Soak.seconds, Soak.seed = given.seconds, given.seed
    unittest.main(argv=[sys.argv[0]], verbosity=2)
