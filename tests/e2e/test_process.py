"""The server as a child: ready, killed, stopped; nothing is left, and what a client started ends with it."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import A128, ALPHABET, TINY, EndToEnd, Supervisor, cpu_seconds, free_port, request, slurp, wait_for


class Process(EndToEnd):
    def test_sigterm_lets_requests_end_and_leaves_no_process(self):
        s = self.serve(config='[server]\ndrain_timeout = "3m"\n', models=[("a", A128), ("b", TINY + ["--seed", "2"])])
        s.generate("a")
        s.generate("b")
        self.assertEqual(len(s.runners()), 2)
        answers = []
        busy = threading.Thread(target=lambda: answers.append(s.generate("a", num_predict=600, timeout=170)))
        busy.start()
        wait_for(lambda: s.resident().get("a", {}).get("in_flight"), 20, "a busy")
        tree = s.tree()
        self.assertEqual(s.stop(), 0)
        busy.join()
        self.assertEqual(answers[0].status, 200)
        self.assertEqual(len(answers[0].json()["response"]), 600)
        self.assertEqual([p for p in tree if os.path.exists(f"/proc/{p}")], [])

    def test_a_second_sigterm_shortens_the_drain(self):
        s = self.serve(config='[server]\ndrain_timeout = "10m"\n', models=[("a", TINY)])
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            body = json.dumps({"model": "a", "prompt": "hi!", "options": {"num_predict": -1}}).encode()
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            c.recv(100)
            s.process.send_signal(signal.SIGTERM)
            wait_for(lambda: "stopping:" in s.log(), 10, "the drain")
            self.assertIsNone(s.process.poll())
            s.process.send_signal(signal.SIGTERM)
            self.assertEqual(s.process.wait(30), 0)

    def test_a_killed_server_comes_back_on_the_same_port_with_no_orphan(self):
        s = self.serve(models=[("a", TINY)])
        s.generate("a")
        old, runners = s.server_pid(), list(s.runners().values())
        stop, replies, refused = threading.Event(), [], []

        def client():
            while not stop.is_set():
                try:
                    replies.append(s.generate("a", num_predict=5, timeout=60).status)
                except OSError as error:
                    if isinstance(error, ConnectionRefusedError):
                        refused.append(error)

        threads = [threading.Thread(target=client) for _ in range(3)]
        for t in threads:
            t.start()
        wait_for(lambda: len(replies) > 3, 30, "replies")
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in runners), 10, "the orphans' end")
        wait_for(lambda: s.status()["server"].get("pid") not in (None, old), 60, "a new server")
        seen = len(replies)
        wait_for(lambda: len(replies) > seen + 5, 60, "replies of the new server")
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(refused, [])  # the gateway kept its port
        self.assertEqual(s.status()["server"]["restarts"], 1)
        self.assertTrue(s.events("server_down"))

    def test_sigkill_of_the_supervisor_leaves_nothing(self):
        s = self.serve(models=[("a", TINY)])
        s.generate("a")
        tree = s.tree()
        s.process.kill()
        s.process.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in tree), 10, "the end of the server and its runners")

    def test_a_client_that_leaves_stops_the_runners_work(self):
        s = self.serve(models=[("a", A128)])
        body = json.dumps({"model": "a", "prompt": "hi!", "options": {"num_predict": -1}}).encode()
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertTrue(c.recv(1000))
            pid = s.runner_of("a")
            before = cpu_seconds(pid)
            wait_for(lambda: cpu_seconds(pid) > before + 0.2, 20, "the runner at work")
        wait_for(lambda: not s.resident()["a"]["in_flight"], 10, "the lease's end")

        def idle():
            first = cpu_seconds(pid)
            time.sleep(0.5)
            return cpu_seconds(pid) - first < 0.05

        wait_for(idle, 10, "the runner idle")

    def test_a_taken_port_names_who_has_it(self):
        first = self.serve(models=[])
        second = Supervisor()
        self.addCleanup(second.clean)
        second.port = first.port
        second.start(wait=False)
        self.assertEqual(second.process.wait(60), 1)
        self.assertIn(f"(pid {first.process.pid})", second.log())
        self.assertIn("--listen", second.log())

    def test_a_second_supervisor_of_the_same_user_is_refused_with_the_pid_of_the_first(self):
        s = self.serve(models=[])
        second = subprocess.run([s.program, "serve", "--config", s.config, "--listen", f"127.0.0.1:{free_port()}", "--ollama", s.ollama],
                                env=s.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertIn(str(s.process.pid), second.stderr)

    def test_a_program_that_is_no_ollama_is_told_apart(self):
        for program, words in (("/bin/true", "is this program Ollama"), ("/nonexistent/ollama", "/nonexistent/ollama"), ("/etc/passwd", "/etc/passwd")):
            s = Supervisor(ollama=program)
            self.addCleanup(s.clean)
            s.start(wait=False)
            self.assertNotEqual(s.process.wait(60), 0)
            self.assertIn(words, s.log())

    def test_the_environment_reaches_the_server_and_is_shown(self):
        s = self.serve(env={"OLLAMA_NUM_PARALLEL": "2", "OLLAMA_DEBUG": "1"}, config='[server]\nprompt_cache = "64MB"\n[server.env]\nOLLAMA_ORIGINS = "http://x.example"\n')
        environ = slurp(f"/proc/{s.server_pid()}/environ").split("\0")
        shown = s.cli("config", "show", "--env")
        for variable in ("OLLAMA_NUM_PARALLEL=2", "OLLAMA_DEBUG=1", "LLAMA_ARG_CACHE_RAM=64", "OLLAMA_ORIGINS=http://x.example", f"OLLAMA_MODELS={s.models}"):
            self.assertIn(variable, environ)
            self.assertIn(variable.split("=")[0], shown)
        self.assertEqual(os.readlink(f"/proc/{s.server_pid()}/cwd"), "/")

    def test_the_servers_log_is_kept_and_shown(self):
        s = self.serve(models=[("a", TINY)])
        s.generate("a")
        self.assertIn("Listening on", s.cli("logs", "-n", "500"))
        self.assertEqual(request(s.port, "GET", "/api/version").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
