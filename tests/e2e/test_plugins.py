"""Policies are swapped under load, and the desktop hears of an eviction."""
import json
import os
import subprocess
import threading
import unittest

from harness import A128, TINY, EndToEnd, slurp, wait_for

ROOM = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n'
BIG_AND_SMALL = [("a", A128), ("b", TINY + ["--seed", "2"]), ("c", A128 + ["--seed", "3"]), ("d", A128 + ["--seed", "4"])]


class Swap(EndToEnd):
    def test_largest_takes_over_from_lru_on_a_running_supervisor(self):
        s = self.serve(config=ROOM + '[policy]\nnotify = []\n', models=BIG_AND_SMALL)
        self.assertEqual(s.status()["eviction_policy"], "lru")
        for name in "bac":
            s.generate(name, num_predict=2)
        pids = s.runners()
        s.cli("plugin", "use", "eviction", "largest")
        self.assertEqual(s.runners(), pids)  # no residency was lost
        s.generate("d", num_predict=2)
        self.assertNotEqual(s.events("eviction")[-1]["model"], "b:latest")  # the oldest, but small
        self.assertIn("largest", s.events("eviction")[-1]["sentence"])
        s.stop()
        s.start()
        self.assertEqual(s.status()["eviction_policy"], "largest")  # it was saved

    def test_swaps_under_load_lose_no_request(self):
        s = self.serve(config=ROOM + '[policy]\nnotify = []\n', models=BIG_AND_SMALL)
        stop, failures, done = threading.Event(), [], [0]

        def client(name):
            while not stop.is_set():
                reply = s.generate(name, num_predict=3)
                done[0] += 1
                if reply.status != 200 or reply.json()["response"] != "abc":
                    failures.append((name, reply.status, reply.body))

        threads = [threading.Thread(target=client, args=(n,)) for n in "acd"]
        for t in threads:
            t.start()
        for i in range(12):
            s.cli("plugin", "use", "eviction", ("largest", "lru")[i % 2])
        at = done[0]
        wait_for(lambda: done[0] > at + 6, 120, "requests after the swaps")
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])

    def test_a_plugin_that_does_not_load_leaves_the_old_one_in_charge(self):
        s = self.serve(config=ROOM + '[policy]\nnotify = []\n', models=[("a", TINY)])
        for name, words in (("nope", "no eviction plugin named nope"), ("desktop", "no eviction plugin named desktop"), ("larges", "did you mean largest?")):
            self.assertIn(words, s.cli("plugin", "use", "eviction", name, code=1))
        self.assertEqual(s.status()["eviction_policy"], "lru")
        self.assertEqual(s.generate("a", num_predict=3).json()["response"], "abc")

    def test_a_configured_plugin_that_is_missing_falls_back_and_says_so(self):
        s = self.serve(config='[policy]\neviction = "nope"\nnotify = []\n', models=[("a", TINY)])
        self.assertEqual(s.generate("a", num_predict=3).json()["response"], "abc")
        self.assertEqual(s.status()["eviction_policy"], "built-in lru")
        self.assertIn("nope", s.events("plugin_failed")[0]["sentence"])


class Notify(EndToEnd):
    def test_a_desktop_hears_what_was_evicted_why_and_what_is_free(self):
        config = ROOM + '[policy]\nnotify = ["desktop"]\n[notify]\ncoalesce = "200ms"\n'
        bus, daemon = self.start_bus()
        s = self.serve(config=config, models=BIG_AND_SMALL, env={"DBUS_SESSION_BUS_ADDRESS": bus})
        for name in "acd":
            s.generate(name, num_predict=2)
        line = wait_for(lambda: daemon.stdout.readline(), 30, "a notification")
        note = json.loads(line)
        self.assertEqual(note["app_name"], "llamavisor")
        self.assertIn("Evicted a:latest", note["summary"])
        self.assertIn("least recently used", note["body"])
        self.assertIn("of memory are available now", note["body"])
        self.assertEqual(s.status()["notifiers"][0]["state"], "ok")

    def test_without_a_bus_there_is_a_log_line_and_status_says_so(self):
        s = self.serve(config=ROOM + '[notify]\ncoalesce = "200ms"\n', models=BIG_AND_SMALL,
                       env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
        for name in "acd":
            self.assertEqual(s.generate(name, num_predict=2).status, 200)
        wait_for(lambda: s.status()["notifiers"][0]["state"] == "failing", 30, "the notifier's state")
        self.assertIn("notifier desktop", s.log())

    def test_the_command_plugin_gets_the_event_as_json(self):
        s = self.serve(config=ROOM + '[policy]\nnotify = ["command"]\n[notify]\ncoalesce = "200ms"\n', models=BIG_AND_SMALL, ollama=None)
        target = os.path.join(s.home, "event.json")
        s.cli("config", "set", "plugins.command.argv", json.dumps(["/bin/sh", "-c", f"cat > {target}"]), "--config", s.config)
        s.cli("reload")
        for name in "acd":
            s.generate(name, num_predict=2)
        event = json.loads(wait_for(lambda: os.path.exists(target) and slurp(target), 30, "the command"))
        self.assertEqual(event["kind"], "eviction")
        self.assertEqual(event["model"], "a:latest")

    def start_bus(self):
        """A private session bus with a notification daemon of the tests on it."""
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, bus)
        address = bus.stdout.readline().strip()
        daemon = subprocess.Popen([os.path.join(os.environ["LLV_BIN"], "notification_daemon")], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address})
        self.addCleanup(self.end, daemon)
        self.assertEqual(daemon.stdout.readline().strip(), "ready")
        return address, daemon

    def end(self, process):
        process.terminate()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
