"""What the end-to-end tests share: a real llamavisor over a real Ollama, in a home of its own.

Environment, set by ctest: LLV_PROGRAM (llamavisor), LLV_MAKE_MODEL (make-demo-model), LLV_OLLAMA (the
server's binary). A missing one is an error, never a skip. Standard library only.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

MIB = 1 << 20
A128 = ["--layers", "8", "--embd", "512", "--ff", "2048", "--heads", "8", "--kv-heads", "4"]  # 121 MiB of weights
C256 = ["--layers", "16", "--embd", "512", "--ff", "2048", "--heads", "8", "--kv-heads", "4"]  # 241 MiB
TINY = []  # 8.5 MiB
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def need(name):
    value = os.environ.get(name, "")
    if not value or not os.path.exists(value):
        raise RuntimeError(f"{name} is not set to an existing file: run tests/run.sh")
    return value


def wait_for(condition, seconds=30, what="condition"):
    """Polls until `condition()` is true and returns its value; the time limit only ends a broken run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def slurp(path, mode="r"):
    with open(path, mode, **({} if "b" in mode else {"errors": "replace"})) as f:
        return f.read()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processes():
    """pid -> (ppid, argv) of every process."""
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = slurp(f"/proc/{pid}/stat")
            argv = slurp(f"/proc/{pid}/cmdline", "rb").decode(errors="replace").split("\0")
            out[int(pid)] = (int(stat[stat.rindex(")") + 2:].split()[1]), argv)
    return out


def footprint(pid):
    """RssAnon + RssShmem + VmSwap in bytes; 0 when the process is gone."""
    total = 0
    with contextlib.suppress(OSError):
        for line in slurp(f"/proc/{pid}/status").splitlines():
            if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:")):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(pid):
    stat = slurp(f"/proc/{pid}/stat")
    fields = stat[stat.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]

    def text(self):
        """The answer's text, streamed or not, of /api/generate or /api/chat."""
        return "".join(p.get("response", "") or p.get("message", {}).get("content", "") for p in self.lines())


def request(port, method, path, body=None, headers=None, timeout=120):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, headers or ({"Content-Type": "application/json"} if data else {}))
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class Supervisor:
    """llamavisor serve on a free port, with its own home, models folder and runtime folder."""

    def __init__(self, config="", args=(), env=None, models=(), ollama=None, program=None):
        self.home = tempfile.mkdtemp(prefix="llv-e2e-")
        self.models = os.path.join(self.home, "models")
        self.ollama = ollama or need("LLV_OLLAMA")
        self.program = program or need("LLV_PROGRAM")
        self.port = free_port()
        self.config = os.path.join(self.home, "llamavisor.toml")
        self.args = list(args)
        self.process = None
        self.output = os.path.join(self.home, "serve.log")
        os.makedirs(self.models)
        with open(self.config, "w") as f:
            f.write(config)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA_", "LLAMA_", "LLAMAVISOR_", "XDG_", "DBUS_"))}
        self.env.update(HOME=self.home, XDG_RUNTIME_DIR=os.path.join(self.home, "run"),
                        XDG_STATE_HOME=os.path.join(self.home, "state"), XDG_CONFIG_HOME=os.path.join(self.home, "config"),
                        XDG_CACHE_HOME=os.path.join(self.home, "cache"), OLLAMA_MODELS=self.models, NO_COLOR="1",
                        OLLAMA_NO_CLOUD="1")
        self.env.update(env or {})
        os.makedirs(self.env["XDG_RUNTIME_DIR"], mode=0o700)
        for name, options in models:
            self.plant(name, *options)

    def plant(self, name, *options):
        subprocess.run([need("LLV_MAKE_MODEL"), self.models, name, *options], check=True, stdout=subprocess.DEVNULL)

    def start(self, wait=True):
        argv = [self.program, "serve", "--config", self.config, "--listen", f"127.0.0.1:{self.port}",
                "--ollama", self.ollama, *self.args]
        with open(self.output, "ab") as log:
            self.process = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            wait_for(self.ready, 90, "llamavisor ready")
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"llamavisor ended with {self.process.returncode}:\n{self.log()}")
        with contextlib.suppress(OSError):
            return request(self.port, "GET", "/api/version", timeout=5).status == 200
        return False

    def log(self):
        return slurp(self.output)[-20000:]

    def cli(self, *args, code=0, env=None):
        done = subprocess.run([self.program, *args], env={**self.env, **(env or {})}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{args} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}\n{self.log()}")
        return done.stdout + done.stderr

    def status(self):
        done = subprocess.run([self.program, "status", "--json"], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        return json.loads(done.stdout)

    def resident(self):
        """name -> Model of `status`, without ':latest'."""
        return {m["name"].removesuffix(":latest"): m for m in self.status()["models"]}

    def events(self, kind=None):
        out = [json.loads(line) for line in self.cli("events", "--json").splitlines() if line.startswith("{")]
        return [e for e in out if kind in (None, e["kind"])]

    def server_pid(self):
        return self.status()["server"]["pid"]

    def tree(self, root=None):
        """All descendants of the supervisor (or of `root`)."""
        all_processes = processes()
        wanted, found = {root or self.process.pid}, set()
        while wanted:
            children = {p for p, (ppid, _) in all_processes.items() if ppid in wanted} - found
            found |= children
            wanted = children
        return found

    def runners(self):
        """blob path or digest -> pid, of the processes that hold a model."""
        out = {}
        everything = processes()
        for pid in self.tree():
            argv = everything.get(pid, (0, []))[1]
            if "--model" in argv:
                out[argv[argv.index("--model") + 1]] = pid
        return out

    def runner_of(self, name):
        manifest = json.loads(slurp(f"{self.models}/manifests/registry.ollama.ai/library/{name}/latest"))
        digest = next(l["digest"] for l in manifest["layers"] if l["mediaType"].endswith("image.model"))
        return next((pid for blob, pid in self.runners().items() if blob.endswith(digest.replace(":", "-"))), None)

    def generate(self, model, prompt="hi!", num_predict=26, timeout=120, **more):
        options = {"num_predict": num_predict, "temperature": 0, **more.pop("options", {})}
        return request(self.port, "POST", "/api/generate",
                       {"model": model, "prompt": prompt, "stream": False, "options": options, **more}, timeout=timeout)

    def get(self, path, **kw):
        return request(self.port, "GET", path, **kw)

    def post(self, path, body, **kw):
        return request(self.port, "POST", path, body, **kw)

    def control(self, path, body):
        """POST to the control socket."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(60)
            connection.sock.connect(os.path.join(self.env["XDG_RUNTIME_DIR"], "llamavisor", "control.sock"))
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def helpers(self):
        """Processes that hold an isolated plugin."""
        everything = processes()
        return [p for p in self.tree() if everything.get(p, (0, [""]))[1][0].endswith("/plugin-helper")]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(200)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("llamavisor did not stop within 200 s:\n" + self.log())
        return self.process.returncode if self.process else None

    def clean(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def survivors(self):
        """Processes that still use this home's models folder or Ollama binary's children."""
        out = []
        for pid, (_, argv) in processes().items():
            environ = ""
            with contextlib.suppress(OSError):
                environ = slurp(f"/proc/{pid}/environ", "rb").decode(errors="replace")
            if f"HOME={self.home}\0" in environ and pid != os.getpid():
                out.append((pid, argv))
        return out


class EndToEnd(unittest.TestCase):
    """One supervisor a test; whatever happens, nothing is left behind, and that is checked."""

    def serve(self, *args, **kwargs):
        supervisor = Supervisor(*args, **kwargs)
        self.addCleanup(self.finish, supervisor)
        return supervisor.start()

    def finish(self, supervisor):
        try:
            supervisor.stop()
            left = [s for s in supervisor.survivors()]
            for pid, _ in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(left, [], "processes were left behind")
        finally:
            if self._outcome_failed():
                print(supervisor.log())
            supervisor.clean()

    def _outcome_failed(self):
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        return bool(result and (result.failures or result.errors))


class MemorySampler:
    """Largest sum of footprints over the tree of the supervisor's children, sampled every 200 ms or faster."""

    def __init__(self, supervisor):
        self.supervisor, self.peak, self.stopped = supervisor, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        server = self.supervisor.server_pid()
        while not self.stopped.wait(0.1):
            runners = [p for p in self.supervisor.tree(server)]
            self.peak = max(self.peak, sum(footprint(p) for p in runners))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
