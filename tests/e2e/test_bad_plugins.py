"""Bad plugins in a running daemon: what the user is told, and that the daemon is alive and answers after each."""
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import threading
import unittest

from harness import A128, TINY, EndToEnd, Supervisor, slurp, wait_for

ZOO = os.path.join(os.path.dirname(os.environ["LLV_MAKE_MODEL"]), "bad_plugins")
ROOM = '[memory]\nlimit = "300MB"\n[context]\ndefault_num_ctx = 4096\n[policy]\ndeadline = "1s"\nnotify = []\n'
MODELS = [("a", A128), ("b", A128 + ["--seed", "2"]), ("tiny", TINY + ["--seed", "3"])]
SWAPS = int(os.environ.get("LLV_SWAPS", "60"))  # 1000 for the full proof

AT_LOAD = {
    "no_symbol": "does not export llv_plugin_entry_v1",
    "wrong_magic": "wrong magic number",
    "other_major": "built for ABI 2, this is ABI 1",
    "newer_minor": "needs ABI 1.200",
    "short_entry": "the entry is too short",
    "short_struct": "a plugin table is missing or too short",
    "null_callback": "a required callback (create, destroy or get_role) is null",
    "null_rank": "the eviction table of null_rank is too short or its callback is null",
    "duplicate_id": "two plugins have the id duplicate_id",
    "bad_id": "is not a plugin id",
    "no_role": "plays no role that this host knows",
    "bad_key": "the default of key: grace",
    "create_fails": "could not start: the stars are not right",
    "crashes_on_load": "was ended by signal 6 (Aborted)",
    "hangs_on_load": "did not answer in time and was ended",
}
IN_CHARGE = {
    "bad_index": "was overruled: the policy ranked index 4000000000 of 2 models",
    "nan_score": "with a score that is not a number",
    "spared_models": "was overruled: the policy ranked tiny:latest, which is pinned",
    "same_model_twice": "twice",
    "long_text": "long_text answered -1: ?xxx",
    "throws": "throws answered -1: not my day",
    "leaks_exception": "threw through the C interface: out through the C interface",
    "overruns": "overruns did not answer within 1 s",
    "hangs": "hangs did not answer within 1 s",
}
ISOLATED = {
    "crashes": "its helper process was ended by signal 11",
    "aborts": "its helper process was ended by signal 6",
    "exits": "its helper process ended itself with code 3",
    "allocates": "its helper process was ended by signal 11",
    "hangs": "did not answer",
    "leaks_exception": "threw through the C interface",
    "forges": "does not keep to the protocol and was ended",
    "reaches_out": "file no, network no, child no",
}


class Zoo(EndToEnd):
    def cage(self, config=ROOM, **kwargs):
        """A supervisor with a folder for bad plugins; the files in it are put there by lock_up()."""
        s = Supervisor(config=config, models=MODELS, **kwargs)
        self.addCleanup(self.finish, s)
        self.folder = os.path.join(s.home, "plugins")
        os.makedirs(self.folder)
        with open(s.config, "a") as f:
            f.write(f'[plugins]\ndirs = ["{self.folder}"]\n')
        return s

    def lock_up(self, name, as_name=None):
        """Alone in the folder, replaced as an installer replaces a file."""
        for old in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, old))
        path = os.path.join(self.folder, (as_name or name) + ".so")
        shutil.copy(os.path.join(ZOO, name + ".so"), path + ".new")
        os.rename(path + ".new", path)
        return path

    def evict_once(self, s):
        """Two models of which one fits: the policy in charge is asked for a victim."""
        self.turn = "b" if getattr(self, "turn", "b") == "a" else "a"
        reply = s.generate(self.turn, num_predict=3)
        self.assertEqual((reply.status, reply.json().get("response")), (200, "abc"))

    def use(self, s, name):
        return s.control("/v1/plugin/use", {"role": "eviction", "name": name})

    def failures(self, s):
        return " ".join(e["sentence"] for e in s.events("plugin_failed"))

    def test_what_does_not_load_is_told_and_leaves_the_old_one_in_charge(self):
        s = self.cage().start()
        for name, told in AT_LOAD.items():
            with self.subTest(name):
                path = self.lock_up(name)
                self.assertIn(told, s.cli("plugin", "use", "eviction", name, code=1))
                self.assertIn(told, s.cli("plugin", "check", path, code=1))
                self.assertEqual(s.status()["eviction_policy"], "lru")
                self.assertEqual(s.generate("tiny", num_predict=3).json()["response"], "abc")

    def test_files_that_are_not_safe_or_not_whole_are_told(self):
        s = self.cage().start()
        good = slurp(os.path.join(ZOO, "overruns.so"), "rb")
        for told, mode, data in (
                ("writable by others (chmod go-w", 0o666, good),
                ("cannot be loaded", 0o644, good[:18] + b"\x16" + good[19:]),  # made for another machine
                ("not a shared library of this machine", 0o644, good[:len(good) // 2]),
                ("not a shared library of this machine", 0o644, b"#!/bin/sh\n")):
            with self.subTest(told):
                path = os.path.join(self.folder, "overruns.so")
                with open(path + ".new", "wb") as f:
                    f.write(data)
                os.chmod(path + ".new", mode)
                os.rename(path + ".new", path)
                self.assertIn(told, s.cli("plugin", "check", path, code=1))
                self.assertIn(told, s.cli("plugin", "use", "eviction", "overruns", code=1))
                self.assertIn(told, s.cli("plugin", "list"))
                self.assertEqual(s.generate("tiny", num_predict=3).json()["response"], "abc")

    def test_what_answers_badly_is_overruled_and_told(self):
        s = self.cage().start()
        s.cli("pin", "tiny")
        s.generate("tiny", num_predict=2)
        self.evict_once(s)
        for name, told in IN_CHARGE.items():
            with self.subTest(name):
                self.lock_up(name)
                s.cli("plugin", "use", "eviction", name)
                self.evict_once(s)
                self.assertIn(told, self.failures(s))
        s.cli("plugin", "use", "eviction", "lru")
        self.evict_once(s)
        self.assertIn("least recently used", s.events("eviction")[-1]["sentence"])

    def test_isolated_ones_can_crash_eat_memory_and_reach_out_in_vain(self):
        s = self.cage()
        with open(s.config, "a") as f:
            f.writelines(f"[plugins.{name}]\nisolate = true\n" for name in ISOLATED)
        s.start()
        self.evict_once(s)
        for name, told in ISOLATED.items():
            with self.subTest(name):
                self.lock_up(name)
                s.cli("plugin", "use", "eviction", name)
                self.evict_once(s)
                self.assertIn(told, self.failures(s))
        self.assertEqual(s.status()["quarantine"], [])
        self.assertTrue(s.helpers())
        s.process.kill()
        s.process.wait()
        wait_for(lambda: not s.survivors(), 30, "the end of the server and of the helpers")

    def test_one_that_crashes_us_is_in_quarantine_after_the_restart_until_it_is_trusted(self):
        s = self.cage().start()
        self.lock_up("crashes")
        s.cli("plugin", "use", "eviction", "crashes")
        s.generate("a", num_predict=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            s.generate("b", num_predict=2)  # its eviction is the end of the supervisor
        self.assertEqual(s.process.wait(30), -signal.SIGSEGV)
        target = os.path.join(s.home, "event.json")
        s.cli("config", "set", "plugins.command.argv", json.dumps(["/bin/sh", "-c", f"cat >> {target}"]), "--config", s.config)
        with open(s.config) as f:
            text = f.read().replace("notify = []", 'notify = ["command"]')
        with open(s.config, "w") as f:
            f.write(text)
        s.start()
        why = "llamavisor was ended by signal 11 (Segmentation fault) inside a call to it"
        status = s.status()
        self.assertEqual(status["eviction_policy"], "built-in lru")
        self.assertEqual([(q["id"], q["reason"]) for q in status["quarantine"]], [("crashes", why)])
        self.assertIn("plugin crashes is in quarantine", s.cli("status"))
        doctor = s.cli("doctor", code=None)
        self.assertIn("FAIL  plugin crashes: in quarantine: " + why, doctor)
        self.assertIn("mend: llamavisor plugin trust crashes", doctor)
        told = wait_for(lambda: os.path.exists(target) and slurp(target), 30, "the notification")
        self.assertIn("The plugin crashes is in quarantine", told)
        for name in "aba":  # the fallback serves
            self.assertEqual(s.generate(name, num_predict=3).json()["response"], "abc")
        self.assertIn("is in quarantine", s.cli("plugin", "use", "eviction", "crashes", code=1))
        s.stop()
        s.start()
        self.assertEqual(s.status()["quarantine"][0]["id"], "crashes")  # it is kept
        self.assertIn("not in quarantine", s.cli("plugin", "trust", "lru", code=1))
        self.assertIn("is trusted again", s.cli("plugin", "trust", "crashes"))
        self.assertEqual(s.status()["quarantine"], [])
        wait_for(lambda: s.status()["eviction_policy"] == "crashes", 10, "the trusted plugin in charge")
        s.cli("plugin", "use", "eviction", "lru")
        s.stop()
        s.start()
        self.assertEqual(s.status()["quarantine"], [])

    def test_many_swaps_under_load_lose_no_request_and_leave_no_mapping(self):
        """At least LLV_SWAPS good ones, each followed by a new version that fails and leaves the old one in charge."""
        s = self.cage().start()
        bad = sorted(set(AT_LOAD) - {"hangs_on_load"})
        stop, failures, done = threading.Event(), [], [0]

        def client(name):
            while not stop.is_set():
                reply = s.generate(name, num_predict=3)
                done[0] += 1
                if reply.status != 200 or reply.json()["response"] != "abc":
                    failures.append((name, reply.status, reply.body))

        threads = [threading.Thread(target=client, args=(n,)) for n in ("a", "b", "tiny", "tiny", "tiny")]
        for t in threads:
            t.start()
        mappings = []
        try:
            for i in itertools.count():
                if i >= SWAPS and done[0] >= 30:
                    break
                good = ("largest", "lru")[i % 2]
                self.assertEqual(self.use(s, good).status, 200)
                self.lock_up(bad[i % len(bad)], as_name="next")
                refused = self.use(s, bad[i % len(bad)])
                self.assertEqual(refused.status, 422, refused.body)
                self.assertEqual(s.status()["eviction_policy"] if i % 20 == 0 else good, good)
                mappings.append(len(slurp(f"/proc/{s.process.pid}/maps").splitlines()))
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        self.assertEqual(s.status()["eviction_policy"], good)
        early, late = max(mappings[:len(mappings) // 4]), max(mappings[-len(mappings) // 4:])
        self.assertLessEqual(late, early + 8, f"mappings grow: {mappings[::max(1, len(mappings) // 20)]}")
        print(f"{i} swaps and as many failing ones: {done[0]} requests, mappings {mappings[0]} to {mappings[-1]}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
