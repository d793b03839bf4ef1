"""The command line and the configuration of a running supervisor."""
import json
import os
import subprocess
import unittest

from harness import MIB, TINY, EndToEnd, Supervisor, need, slurp


class Commands(EndToEnd):
    def test_every_listing_has_json_and_every_command_has_help(self):
        s = self.serve(models=[("a", TINY)])
        s.generate("a", num_predict=2)
        for listing in ("status", "ps", "models", "limit", "profile list", "plugin list", "plugin info lru", "config show", "doctor"):
            json.loads(s.cli(*listing.split(), "--json", code=None).splitlines()[0])
        for command in ("", "serve", "status", "ps", "models", "evict", "pin", "unpin", "limit", "profile", "profile use", "plugin", "plugin use",
                        "plugin check", "config", "config set", "reload", "logs", "events", "doctor", "version", "completion"):
            self.assertIn("--help", s.cli(*command.split(), "--help"))
        screen = s.cli("status")
        self.assertLess(len(screen.splitlines()), 25)
        self.assertLessEqual(max(len(l) for l in screen.splitlines()), 100)
        for word in ("Budget", "a ", "idle", "lru", "pid"):
            self.assertIn(word, screen)
        self.assertNotIn("\x1b[", screen)
        model = json.loads(s.cli("models", "--json"))["models"][0]
        self.assertTrue(model["fits"] and model["resident"])

    def test_exit_codes_and_suggestions(self):
        s = Supervisor()
        self.addCleanup(s.clean)
        self.assertIn("no supervisor is running", s.cli("status", code=3))
        self.assertIn("did you mean status?", s.cli("statsu", code=2))
        s.cli("evict", code=2)
        s.cli("completion", "csh", code=2)
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("llamavisor", s.cli("completion", shell))
        self.assertIn("profile", s.cli("__complete"))
        self.assertIn("laptop", s.cli("__complete", "profile", "use"))

    def test_a_profile_applies_live_what_it_can_and_names_what_waits(self):
        s = self.serve(args=["--profile", "laptop"])
        self.assertEqual(s.status()["limit_bytes"], 2048 * MIB)
        said = s.cli("profile", "use", "desktop")
        self.assertIn("6.00 GB", said)
        self.assertIn("server.prompt_cache waits for a restart", said)
        self.assertEqual(s.status()["profile"], "desktop")
        self.assertIn("* ", s.cli("profile", "list"))
        self.assertIn("prompt_cache", s.cli("profile", "show", "laptop"))
        self.assertIn("there is no profile named lapto", s.cli("profile", "use", "lapto", code=1))

    def test_a_broken_file_keeps_the_last_good_state_and_says_why(self):
        s = self.serve(config='[memory]\nlimit = "1GB"\n')
        with open(s.config, "w") as f:
            f.write('[memory]\nlimit = "2GB"\nlimti = 3\n')
        said = s.cli("reload", code=1)
        self.assertIn(f"{s.config}:3:", said)
        self.assertIn("did you mean memory.limit?", said)
        self.assertEqual(s.status()["limit_bytes"], 1024 * MIB)
        with open(s.config, "w") as f:
            f.write('# mine\n[memory]  # here\nlimit = "2GB" # two\n')
        s.cli("reload")
        self.assertEqual(s.status()["limit_bytes"], 2048 * MIB)
        s.cli("config", "set", "memory.limit", "3GB", "--config", s.config)
        self.assertEqual(slurp(s.config), '# mine\n[memory]  # here\nlimit = "3GB" # two\n')
        s.cli("reload")
        self.assertEqual(s.status()["limit_bytes"], 3072 * MIB)
        self.assertIn(f"{s.config}:3", s.cli("config", "show", "--origin"))

    def test_config_check_finds_every_mistake_with_its_place(self):
        s = Supervisor(config='[memory]\nlimit = 12\n[gatewya]\nx = 1\n[models.a]\npin = "yes"\n')
        self.addCleanup(s.clean)
        said = s.cli("config", "check", s.config, code=2)
        self.assertIn(f'{s.config}:2:9: memory.limit: expected a size such as "12GB"', said)
        self.assertIn("did you mean gateway?", said)
        self.assertIn("models.\"a\".pin: expected true or false", said)
        s.start(wait=False)
        self.assertEqual(s.process.wait(30), 2)

    def test_doctor_works_without_a_supervisor_and_names_the_mend(self):
        s = Supervisor(config='[server]\nollama = "/nonexistent/ollama"\n')
        self.addCleanup(s.clean)
        said = s.cli("doctor", "--config", s.config, code=1)
        self.assertIn("FAIL  ollama", said)
        self.assertIn("mend:", said)

    def test_an_installed_tree_finds_its_plugins_and_profiles(self):
        s = Supervisor()
        self.addCleanup(s.clean)
        build = os.path.dirname(os.path.dirname(need("LLV_PROGRAM")))
        prefix = os.path.join(s.home, "prefix")
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        s.program = os.path.join(prefix, "bin/llamavisor")
        self.assertIn("lru", s.cli("plugin", "list"))
        self.assertIn("workstation", s.cli("profile", "list"))
        self.assertTrue(os.path.exists(os.path.join(prefix, "lib/llamavisor/make-demo-model")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
