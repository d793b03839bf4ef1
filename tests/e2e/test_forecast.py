"""The forecast before a load against the measured footprint after a one-token prompt: within 10 %."""
import unittest

from harness import A128, C256, MIB, TINY, EndToEnd, footprint


class Forecast(EndToEnd):
    def test_within_ten_percent_at_four_context_sizes(self):
        s = self.serve(config='[memory]\nlimit = "4GB"\n[policy]\nnotify = []\n', models=[("tiny", TINY), ("a128", A128), ("c256", C256)])
        print(f"\n{'model':8}{'num_ctx':>8}{'forecast':>10}{'measured':>10}{'error':>8}")
        for name in ("tiny", "a128", "c256"):
            for num_ctx in (2048, 4096, 32768, 65536):
                reply = s.generate(name, num_predict=1, options={"num_ctx": num_ctx})
                self.assertEqual(reply.status, 200, reply.body)
                measured = footprint(s.runner_of(name))
                model = s.resident()[name]
                self.assertEqual(model["num_ctx"], num_ctx)
                error = model["forecast_bytes"] / measured - 1
                print(f"{name:8}{num_ctx:8}{model['forecast_bytes'] / MIB:9.1f}M{measured / MIB:9.1f}M{error * 100:7.1f}%")
                with self.subTest(f"{name} at {num_ctx}"):
                    self.assertLess(abs(error), 0.10)
            s.cli("evict", name)

    def test_within_ten_percent_with_slots_a_quantized_cache_and_embeddings(self):
        s = self.serve(config='[memory]\nlimit = "4GB"\n[policy]\nnotify = []\n[server]\nnum_parallel = 3\nkv_cache_type = "q8_0"\n'
                       'flash_attention = true\n', models=[("a128", A128), ("emb", A128 + ["--pooling", "1"])])
        self.assertEqual(s.generate("a128", num_predict=1, options={"num_ctx": 5000}).status, 200)
        reply = s.post("/api/embed", {"model": "emb", "input": "a", "options": {"num_ctx": 4096}})
        self.assertEqual(reply.status, 200, reply.body)
        for name in ("a128", "emb"):
            measured = footprint(s.runner_of(name))
            forecast = s.resident()[name]["forecast_bytes"]
            with self.subTest(f"{name}: {forecast / MIB:.1f} MiB foretold, {measured / MIB:.1f} MiB measured"):
                self.assertLess(abs(forecast / measured - 1), 0.10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
