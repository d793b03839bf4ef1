"""The other policies on real models: ask with a real D-Bus peer, composite, idle_ttl, the owner's rules, shadow."""
import json
import os
import subprocess
import unittest

from harness import A128, C256, MIB, TINY, EndToEnd, slurp, wait_for

MODELS = [(n, A128 + ["--seed", str(i)]) for i, n in enumerate(("a", "b", "c"), 1)]
ROOM_FOR_TWO = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n[server]\nkeep_alive = "-1"\n'


def policy(name, keys="", more=""):
    return f'{ROOM_FOR_TWO}[policy]\neviction = "{name}"\nnotify = []\n{more}[plugins.{name}]\n{keys}\n'


class Asks(EndToEnd):
    KEYS = 'after = "1s"\n'

    def daemon(self):
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, bus)
        address = bus.stdout.readline().strip()
        self.desktop = subprocess.Popen([os.path.join(os.environ["LLV_BIN"], "notification_daemon")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address})
        self.addCleanup(self.end, self.desktop)
        self.assertEqual(self.desktop.stdout.readline().strip(), "ready")
        return {"DBUS_SESSION_BUS_ADDRESS": address}

    def end(self, process):
        process.terminate()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()

    def question(self):
        return json.loads(self.desktop.stdout.readline())

    def press(self, note, key):
        self.desktop.stdin.write(f"press {note['id']} {key}\n")
        self.desktop.stdin.flush()

    def switch(self, s, left, to):
        for name in (left, to):
            self.assertEqual(s.generate(name, num_predict=2).status, 200)

    def test_the_button_unload_unloads_the_model_that_was_left(self):
        s = self.serve(config=policy("ask", self.KEYS), models=MODELS, env=self.daemon())
        self.switch(s, "a", "b")
        note = self.question()
        self.assertEqual(note["summary"], "Unload a:latest?")
        self.assertRegex(note["body"], r"It is idle since .*another model is in use; it holds 1\d\d MB")
        self.assertEqual(note["actions"][0::2], ["unload", "keep", "always"])
        self.press(note, "unload")
        wait_for(lambda: s.runner_of("a") is None, 30, "the end of a")
        self.assertIsNotNone(s.runner_of("b"))
        wait_for(lambda: s.events("eviction"), 30, "the eviction's event")  # written once the bytes given back are measured
        self.assertIn("you were asked after the switch and answered: unload", s.events("eviction")[0]["sentence"])

    def test_keep_always_is_remembered_over_a_restart(self):
        keys = 'after = "3s"\nunanswered = "unload"\n'
        s = self.serve(config=policy("ask", keys), models=[(n, TINY + ["--seed", str(i)]) for i, n in enumerate("abc")], env=self.daemon())
        self.switch(s, "a", "b")
        self.press(self.question(), "always")
        kept = os.path.join(s.home, "state", "llamavisor", "kept-models")
        wait_for(lambda: os.path.exists(kept), 30, "the kept models")
        self.assertEqual(slurp(kept), "a:latest\n")
        s.stop()
        s.start()
        self.switch(s, "a", "b")
        self.switch(s, "c", "b")
        self.assertEqual(self.question()["summary"], "Unload c:latest?")  # a was left before, and is not asked about
        self.assertIsNotNone(s.runner_of("a"))

    def test_without_an_answer_the_configured_default_counts(self):
        s = self.serve(config=policy("ask", self.KEYS + 'patience = "1s"\nunanswered = "unload"\n'), models=MODELS, env=self.daemon())
        self.switch(s, "a", "b")
        note = self.question()
        wait_for(lambda: s.runner_of("a") is None, 30, "the end of a")
        wait_for(lambda: s.events("eviction"), 30, "the eviction's event")
        self.assertIn("nobody answered (within 1 s)", s.events("eviction")[0]["sentence"])
        self.assertEqual(self.question(), {"closed": note["id"]})

    def test_without_a_bus_nothing_is_unloaded_and_requests_go_on(self):
        s = self.serve(config=policy("ask", self.KEYS), models=MODELS, env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
        self.switch(s, "a", "b")
        wait_for(lambda: "a:latest: nobody answered (no session bus" in s.log(), 30, "the log line")
        self.assertIsNotNone(s.runner_of("a"))
        self.assertEqual(s.generate("c", num_predict=2).status, 200)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["a:latest"])


class Rules(EndToEnd):
    def test_composite_takes_the_models_of_its_first_rule_first(self):
        keys = 'rules = ["model=b* hours=0-24", "rest by=lru"]'
        s = self.serve(config=policy("composite", keys, 'thrash_window = "0s"\n'), models=MODELS)
        for name in "abcba":  # c: b goes, not the older a; b: a goes; a: b again, not the older c
            s.generate(name, num_predict=2)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["b:latest", "a:latest", "b:latest"])
        self.assertIn('rule "model=b* hours=0-24": least recently used', s.events("eviction")[0]["sentence"])

    def test_idle_ttl_unloads_without_any_need(self):
        s = self.serve(config=policy("idle_ttl", 'ttl = "3s"\nmodels = ["b*=never"]'), models=MODELS)
        for name in "ab":
            s.generate(name, num_predict=2)
        wait_for(lambda: s.runner_of("a") is None, 30, "the end of a")
        wait_for(lambda: s.events("eviction"), 30, "the eviction's event")
        self.assertRegex(s.events("eviction")[0]["sentence"], r"Evicted a:latest .*: idle for .* s of 3 s\.")
        self.assertIsNotNone(s.runner_of("b"))

    def test_the_owners_rules_hold_under_a_policy_that_knows_nothing_of_them(self):
        rules = '[models."b"]\npriority = -1\n[models."c"]\nexclusive = "x"\n[models."a"]\nexclusive = "x"\n[models."d"]\nlimit = "10MB"\n'
        s = self.serve(config=rules + policy("largest", ""), models=[*MODELS, ("d", A128 + ["--seed", "4"])])
        for name in "abc":  # c excludes a, which goes although b alone would have made the room
            self.assertEqual(s.generate(name, num_predict=2).status, 200)
            self.assertFalse(s.runner_of("a") and s.runner_of("c"))
        self.assertIn("c:latest excludes it (group x)", s.events("eviction")[-1]["sentence"])
        refused = s.generate("d", num_predict=2)
        self.assertEqual(refused.status, 503)
        self.assertIn("more than its own limit of 10.0 MB", refused.json()["error"])
        s.cli("config", "set", "models.\"d\".limit", "1GB", "--config", s.config)
        s.cli("reload")
        s.generate("b", num_predict=2)
        self.assertEqual(s.generate("d", num_predict=2).status, 200)  # c is idle for longer, but b's priority is lower
        self.assertEqual(s.events("eviction")[-1]["model"], "b:latest")

    def test_a_model_that_was_back_within_the_window_is_spared(self):
        s = self.serve(config=policy("lru"), models=MODELS)
        for name in "abcac":  # c evicts a; a is back and evicts b; c is used again
            s.generate(name, num_predict=2)
        s.generate("b", num_predict=2)  # a is the least recently used of a and c; b is back as well
        last = s.events("eviction")[-1]
        self.assertEqual(last["model"], "c:latest")
        self.assertRegex(last["sentence"], r"it goes before a:latest, which was loaded again .* after it was evicted and so costs more")


class Shadow(EndToEnd):
    def test_a_shadow_answers_beside_never_acts_and_what_each_costs_is_shown(self):
        s = self.serve(config=policy("lru").replace("400MB", "700MB"), models=[("big", C256 + ["--seed", "9"]), *MODELS])
        self.assertIn("has no shadow", s.cli("plugin", "compare"))
        self.assertIn("no eviction plugin named larges", s.cli("plugin", "shadow", "eviction", "larges", code=1))
        s.cli("plugin", "shadow", "eviction", "largest")
        for name in ("a", "big", "b", "c"):  # lru lets a go, largest would have let big go
            self.assertEqual(s.generate(name, num_predict=2).status, 200)
        self.assertEqual([e["model"] for e in s.events("eviction")], ["a:latest"])
        first = self.comparison(s)
        self.assertEqual([first[k] for k in ("questions", "compared", "differed", "skipped", "failed")], [1, 1, 1, 0, 0])
        self.assertEqual([first[k]["name"] for k in ("in_charge", "shadow")], ["lru", "largest"])
        self.assertLess(first["in_charge"]["evicted_bytes"], 200 * MIB)
        self.assertGreater(first["shadow"]["evicted_bytes"], 240 * MIB)
        self.assertEqual([first[k]["reloads"] for k in ("in_charge", "shadow")], [0, 0])
        s.generate("a", num_predict=2)  # wanted again: lru pays for it
        second = self.comparison(s)
        self.assertEqual([second[k]["reloads"] for k in ("in_charge", "shadow")], [1, 0])
        self.assertGreater(second["in_charge"]["reload_ms"], 0)
        self.assertIn("lru is in charge, largest is its shadow. They differed in 1 of 2 choices", s.cli("plugin", "compare"))
        shown = " ".join(s.cli("status").split())  # the line is wrapped at the terminal's width
        self.assertRegex(shown, r"Shadow +largest differed in 1 of 2 choices; its reloads would take 0 ms, those of lru took")
        s.stop()
        s.start()
        self.assertEqual(s.status()["shadow"]["shadow"]["name"], "largest")  # it was saved
        s.cli("plugin", "shadow", "eviction", "off")
        self.assertNotIn("shadow", s.status())

    def comparison(self, s):
        """What `plugin compare` says, once no answer of the shadow is outstanding."""
        def settled():
            out = json.loads(s.cli("plugin", "compare", "--json"))
            return out["compared"] + out["skipped"] + out["failed"] == out["questions"] > 0 and out
        return wait_for(settled, 30, "the shadow's answer")


if __name__ == "__main__":
    unittest.main(verbosity=2)
