#!/usr/bin/env python3
"""Runs clang-tidy over supervisor/, plugins/ and sdk/, and only over what changed since it was last found clean.

usage: tests/tidy.py [--jobs N] [--deep]
  --deep  file by file with clang-tidy's path analyser too (some 30 s a file; without it a few minutes in all)

Wants build/dev configured and built: flags come from its compile_commands.json, headers from ninja's records.
Most of clang-tidy's time goes into the headers of the libraries, so files of one folder are checked six at a time
as one translation unit. Only a clean answer counts for a batch: after any other (two files may define the same
local name), its files are checked one by one, and their answers decide.
A stamp for each clean file, named by the content of all that can change the verdict, lies in
$XDG_CACHE_HOME/llamavisor/tidy.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/dev"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "llamavisor/tidy"
TIDY = "clang-tidy-14"
GCC_ONLY = {"-fno-gnu-unique", "-Wno-restrict", "-Wno-maybe-uninitialized"}
BATCH = 6
STAMP_DAYS = 30


def commands_by_source():
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if source.is_relative_to(ROOT) and source.relative_to(ROOT).parts[0] in ("supervisor", "plugins", "sdk"):
            found.setdefault(source.relative_to(ROOT), entry)
    return found


def headers_by_source():
    """What ninja recorded of each object: its source, then the files that it included; only the project's own."""
    found, source = {}, None
    listing = subprocess.run(["ninja", "-C", BUILD, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        if not line.startswith(" "):
            source = None
            continue
        path = (BUILD / line.strip()).resolve()
        if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "build"):
            continue
        path = path.relative_to(ROOT)
        if source is None:
            source = path
            found.setdefault(source, set())
        else:
            found[source].add(path)
    return found


def verdict_key(source, headers, common):
    digest = hashlib.sha256(common)
    for path in [source, *sorted(headers)]:
        digest.update(f"\0{path}\0".encode())
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()


def plain_arguments(entry):
    """The compiler's arguments without the file, the names of what it writes and what clang does not know."""
    arguments, skip = [], False
    for argument in shlex.split(entry["command"]):
        if skip or argument in ("-o", "-MF", "-MT", "-MQ"):
            skip = not skip
        elif argument not in ("-c", entry["file"]) and argument not in GCC_ONLY:
            arguments.append(argument)
    return tuple(arguments)


def batches_of(sources, commands):
    groups = {}
    for source in sources:
        key = (source.parent, source.suffix, plain_arguments(commands[source]))
        groups.setdefault(key, []).append(source)
    for (_, suffix, arguments), members in groups.items():
        for start in range(0, len(members), BATCH):
            yield suffix, arguments, members[start : start + BATCH]


def tidy(folder, arguments, path, checks):
    """Whether clang-tidy finds the file clean, and what it says; the folder is for the file's compile command."""
    (folder / "compile_commands.json").write_text(json.dumps(
        [{"directory": str(BUILD), "file": str(path), "arguments": [*arguments, "-c", str(path)]}]))
    result = subprocess.run([TIDY, "--quiet", "-p", folder, f"--checks={checks}", path], cwd=ROOT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    noise = "warnings generated", "warning generated", "warnings treated as errors", "Error while processing"
    lines = [line for line in result.stdout.splitlines() if not any(word in line for word in noise)]
    return result.returncode == 0, "\n".join(lines)


class Run:
    def __init__(self, deep):
        self.deep = deep
        self.checks = "" if deep else "-clang-analyzer-*"
        self.commands = commands_by_source()
        headers = headers_by_source()
        version = subprocess.run([TIDY, "--version"], check=True, capture_output=True).stdout
        self.common = b"\0".join([version, (ROOT / ".clang-tidy").read_bytes(), self.checks.encode()])

        # Taken now, so that a file that changes under way is checked again. A source that was not built yet has no
        # stamp: its headers are not known, so nothing could vouch for it later.
        self.stamps = {source: CACHE / verdict_key(source, headers[source], self.common)
                       for source in self.commands if source in headers}

    def remember_clean(self, source):
        if source in self.stamps:
            self.stamps[source].touch()

    def changed(self):
        for source, stamp in self.stamps.items():
            if stamp.exists():
                stamp.touch()
        return [source for source in sorted(self.commands)
                if source not in self.stamps or not self.stamps[source].exists()]

    def check_one(self, folder, arguments, source):
        clean, text = tidy(folder, arguments, ROOT / source, self.checks)
        if clean:
            self.remember_clean(source)
        return clean, text

    def check_batch(self, number, suffix, arguments, members):
        folder = BUILD / "tidy" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.deep and len(members) > 1:
            unit = folder / f"batch{suffix}"
            unit.write_text("".join(f'#include "{ROOT / source}"\n' for source in members))
            if tidy(folder, arguments, unit, self.checks + ",-bugprone-suspicious-include")[0]:
                for source in members:
                    self.remember_clean(source)
                return []
        results = [self.check_one(folder, arguments, source) for source in members]
        return [text for clean, text in results if not clean]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--deep", action="store_true")
    options = parser.parse_args()

    CACHE.mkdir(parents=True, exist_ok=True)
    for stamp in CACHE.iterdir():
        if time.time() - stamp.stat().st_mtime > STAMP_DAYS * 86400:
            stamp.unlink(missing_ok=True)
    run = Run(options.deep)
    todo = run.changed()
    print(f"    {len(todo)} of {len(run.commands)} files to check", flush=True)
    bad = done = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=options.jobs) as pool:
        jobs = {pool.submit(run.check_batch, number, *batch): batch
                for number, batch in enumerate(batches_of(todo, run.commands))}
        for job in concurrent.futures.as_completed(jobs):
            findings = job.result()
            done += len(jobs[job][2])
            bad += len(findings)
            for text in findings:
                print(text, flush=True)
            print(f"    {done} of {len(todo)} done", flush=True)
    if bad:
        print(f"clang-tidy: {bad} files with findings; mend them, or say beside the line why not (NOLINT)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
