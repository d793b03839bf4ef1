"""A short run through every layer; the sanitizer builds run it too."""
import unittest

from harness import ALPHABET, MIB, TINY, EndToEnd


class Smoke(EndToEnd):
    def test_serve_answer_evict_swap_reload_stop(self):
        s = self.serve(config='[memory]\nlimit = "40MB"\n[context]\ndefault_num_ctx = 4096\n[policy]\nnotify = []\n',
                       models=[(n, TINY + ["--seed", str(i)]) for i, n in enumerate("abc", 1)])
        for name in "aba":
            self.assertEqual(s.generate(name).json()["response"], ALPHABET)
        s.cli("plugin", "use", "eviction", "largest")
        for name in "cab":
            self.assertEqual(s.generate(name).json()["response"], ALPHABET)
        self.assertTrue(s.events("eviction"))
        self.assertEqual(s.status()["eviction_policy"], "largest")
        s.cli("limit", "20MB")
        self.assertEqual(s.status()["limit_bytes"], 20 * MIB)
        s.cli("reload")
        s.cli("models", "--json")
        self.assertEqual(s.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
