"""Plugins from outside of the tree: a written project, built against the installed SDK, in charge of a real server."""
import json
import os
import shutil
import subprocess
import tempfile

import unittest

from harness import A128, TINY, EndToEnd, slurp, wait_for

ROOM = '[memory]\nlimit = "400MB"\n[context]\ndefault_num_ctx = 4096\n'
MODELS = [("a", A128), ("b", TINY + ["--seed", "2"]), ("c", A128 + ["--seed", "3"]), ("d", A128 + ["--seed", "4"])]
BUILD = os.path.dirname(os.environ.get("LLV_BIN", "/nowhere/bin"))
EXAMPLES = os.path.join(BUILD, "lib/llamavisor/example_plugins")


class OutOfTree(EndToEnd):
    def test_a_new_project_is_built_checked_and_put_in_charge(self):
        work = tempfile.mkdtemp(prefix="llv-sdk-")
        self.addCleanup(shutil.rmtree, work, ignore_errors=True)
        prefix = os.path.join(work, "prefix")
        self.run_in(work, "cmake", "--install", BUILD, "--prefix", prefix)
        program = os.path.join(prefix, "bin/llamavisor")
        s = self.serve(config=ROOM + '[policy]\nnotify = []\n', models=MODELS, program=program)

        said = self.run_in(work, program, "plugin", "new", "quickest", "--role", "eviction")
        # The commands that it names are the ones to run.
        for line in [l.strip() for l in said.splitlines() if l.startswith("  ")]:
            for command in line.split(" && "):
                self.run_in(work, *command.replace("llamavisor plugin", program + " plugin").split(), env=s.env)
        self.assertEqual(s.status()["eviction_policy"], "quickest")
        for name in "abcd":
            self.assertEqual(s.generate(name, num_predict=3).json()["response"], "abc")
        sentence = s.events("eviction")[-1]["sentence"]
        self.assertIn("quickest to bring back: loads in", sentence)

    def run_in(self, folder, *argv, env=None):
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(done.returncode, 0, f"{argv}:\n{done.stdout}{done.stderr}")
        return done.stdout


class Examples(EndToEnd):
    def test_plugins_in_c_cpp_and_rust_run_together(self):
        rust = os.path.exists(os.path.join(EXAMPLES, "fit_context.so"))
        self.assertEqual(rust, shutil.which("cargo") is not None or os.path.exists(os.path.expanduser("~/.cargo/bin/cargo")))
        config = ROOM.replace("default_num_ctx = 4096\n", "") + '[notify]\ncoalesce = "100ms"\n'
        s = self.serve(config=config + f'[plugins]\ndirs = ["{EXAMPLES}"]\n', models=MODELS)
        path = os.path.join(s.home, "events.jsonl")
        s.cli("config", "set", "plugins.event_file.path", path, "--config", s.config)
        s.cli("reload")
        s.cli("plugin", "use", "notify", "event_file")
        s.cli("plugin", "use", "eviction", "round_robin")
        if rust:
            s.cli("plugin", "use", "context", "fit_context")
        for name in "acd":
            self.assertEqual(s.generate(name, num_predict=3).json()["response"], "abc")
        self.assertIn("its turn to go", s.events("eviction")[-1]["sentence"])
        line = wait_for(lambda: os.path.exists(path) and slurp(path), 30, "the event in the file").splitlines()[0]
        self.assertEqual((json.loads(line)["n"], json.loads(line)["event"]["kind"]), (1, "eviction"))
        if rust:
            self.assertEqual(s.status()["context_policy"], "fit_context")

    def test_new_values_of_a_plugin_apply_on_reload_and_wrong_ones_do_not(self):
        s = self.serve(config=ROOM + f'[plugins]\ndirs = ["{EXAMPLES}"]\n[policy]\neviction = "round_robin"\nnotify = []\n', models=MODELS[:1])
        self.assertEqual(s.status()["eviction_policy"], "round_robin")
        s.cli("config", "set", "plugins.round_robin.ties", "neither", "--config", s.config)
        s.cli("reload")
        told = wait_for(lambda: s.events("plugin_failed"), 30, "the failure")[-1]["sentence"]
        self.assertIn("ties: old or large", told)
        self.assertEqual(s.status()["eviction_policy"], "round_robin")
        s.cli("config", "set", "plugins.round_robin.tie", "old", "--config", s.config)
        self.assertIn("did you mean ties?", s.cli("config", "check", s.config, code=2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
