"""Real clients from their registries run unchanged against llamavisor."""
import json
import os
import subprocess
import unittest

from harness import ALPHABET, TINY, EndToEnd, need


class Clients(EndToEnd):
    @classmethod
    def setUpClass(cls):
        cls.outer = cls("none")
        cls.s = cls.outer.serve(models=[("a", TINY + ["--eos"])])
        cls.url = f"http://127.0.0.1:{cls.s.port}"

    @classmethod
    def tearDownClass(cls):
        cls.outer.doCleanups()

    def none(self):
        pass

    def run_client(self, argv, text=None, **env):
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": self.s.home, **env})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_ollama_command_line(self):
        def ollama(*args):
            return self.run_client([self.s.ollama, *args], text="", OLLAMA_HOST=self.url)
        self.assertIn("a:latest", ollama("list"))
        self.assertIn(ALPHABET, ollama("run", "a", "hi!"))
        self.assertIn("a:latest", ollama("ps"))
        self.assertIn("llama", ollama("show", "a"))
        ollama("stop", "a")
        ollama("cp", "a", "b")
        ollama("rm", "b")

    def test_the_python_packages(self):
        program = f"""
import ollama, openai
c = ollama.Client(host={self.url!r})
assert c.generate(model="a", prompt="hi!").response == {ALPHABET!r}
assert "".join(p.message.content for p in c.chat(model="a", messages=[{{"role": "user", "content": "hi!"}}], stream=True)) == {ALPHABET!r}
assert c.list().models[0].model == "a:latest"
o = openai.OpenAI(base_url={self.url + "/v1"!r}, api_key="none")
r = o.chat.completions.create(model="a", messages=[{{"role": "user", "content": "hi!"}}])
assert r.choices[0].message.content == {ALPHABET!r}, r
parts = o.chat.completions.create(model="a", messages=[{{"role": "user", "content": "hi!"}}], stream=True)
assert "".join(p.choices[0].delta.content or "" for p in parts if p.choices) == {ALPHABET!r}
"""
        self.run_client([need("LLV_CLIENTS_PYTHON"), "-c", program])

    def test_the_npm_package(self):
        program = f"""
import {{ Ollama }} from 'ollama'
const c = new Ollama({{ host: {json.dumps(self.url)} }})
const r = await c.chat({{ model: 'a', messages: [{{ role: 'user', content: 'hi!' }}] }})
if (r.message.content !== {json.dumps(ALPHABET)}) throw new Error(r.message.content)
let text = ''
for await (const p of await c.generate({{ model: 'a', prompt: 'hi!', stream: true }})) text += p.response
if (text !== {json.dumps(ALPHABET)}) throw new Error(text)
"""
        script = os.path.join(need("LLV_CLIENTS_NODE"), f"client-{os.getpid()}.mjs")
        with open(script, "w") as f:
            f.write(program)
        try:
            self.run_client(["node", script])
        finally:
            os.unlink(script)


if __name__ == "__main__":
    unittest.main(verbosity=2)
