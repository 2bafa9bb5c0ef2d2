"""Has Schemathesis call the admin port of gateways, as their OpenAPI document says and not.

A run is made of portions, several at a time. Each has a gateway of its own, and depends on the seed
of the run and its number alone: so a run that was interrupted goes on, and a portion that failed
can be had again. Never looks at an answer itself: that is what the document is for.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from gateway import PROGRAM, Gateway

HERE = Path(__file__).resolve().parent
JOBS = max(1, os.cpu_count() or 1)

# What every answer is held against.
CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
])
# These wait, or do not end; a second backup is answered with 503 until the first has noticed that
# its reader went away; and the last one closes a port that is open to this machine.
NOT_CALLED = ["waitUntilSettled", "streamEvents", "streamDeliveries", "backUp"]
NOT_CALLED_WITHOUT_TOKEN = ["makeToken"]
# A call that takes longer has hung.
CALL_SECONDS_MAX = 20
# A portion that takes longer has hung.
PORTION_SECONDS_MAX = 3600
# Calls of an operation in a portion, about; the first two portions have some more.
EXAMPLES = 150
# A short run: two portions with fewer, and no more time than that, whatever else the machine does.
SHORT_EXAMPLES = 15
SHORT_SECONDS_MAX = 45


def say(text: str):
    print(f"fuzz-api: {text}", flush=True)


class Failed(Exception):
    """A portion found something."""


class Children:
    """The processes that run, which end with the run."""

    def __init__(self):
        self.processes, self.is_over, self.lock = [], False, threading.Lock()

    def add(self, process: subprocess.Popen):
        with self.lock:
            self.processes.append(process)
            if self.is_over:
                process.kill()

    def kill(self):
        with self.lock:
            self.is_over = True
            for process in self.processes:
                process.kill()


children = Children()


@contextmanager
def pool(jobs: int):
    """Threads for portions. If one fails or somebody stops the run, the others end at once."""
    with ThreadPoolExecutor(jobs) as threads:
        try:
            yield threads
        except BaseException:
            children.kill()
            raise


class Portion:
    """A part of a run: what is called in it follows from the seed of the run and its number."""

    def __init__(self, place: Path, seed: int, number: int, is_short: bool = False):
        self.place = place / f"portion-{number}"
        self.hypothesis = place / "hypothesis"
        self.seed = (seed + number) % (1 << 32)
        # The port of every other one asks for a token.
        self.has_tokens = number % 2 == 1
        self.is_short = is_short
        # What the first two call besides is the same whatever the seed is.
        self.phases = "examples,coverage,fuzzing" if number < 2 else "fuzzing"
        if number % 10 in (8, 9):
            self.phases = "stateful"

    def run(self) -> Counter:
        """Gives how often each operation was answered with each status."""
        gateway = Gateway(self.place, self.has_tokens)
        children.add(gateway.process)
        try:
            gateway.fill(random.Random(self.seed))
            counts = self.call(gateway)
        except BaseException:
            gateway.process.kill()
            raise
        gateway.stop()
        shutil.rmtree(self.place)
        return counts

    def call(self, gateway: Gateway) -> Counter:
        document = (self.place / "openapi.json").resolve()
        document.write_text(json.dumps(gateway.ask("/v1/openapi.json")))
        counts = (self.place / "counts.json").resolve()
        given = {"ids": gateway.ids(), "tokens": gateway.tokens, "seed": self.seed,
                 "counts": str(counts)}
        env = dict(os.environ, PYTHONPATH=str(HERE), SCHEMATHESIS_HOOKS="hooks",
                   HOOKGATE_FUZZ=json.dumps(given),
                   HYPOTHESIS_STORAGE_DIRECTORY=str(self.hypothesis.resolve()))
        left_out = NOT_CALLED + ([] if self.has_tokens else NOT_CALLED_WITHOUT_TOKEN)
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(document),
            "--url", gateway.admin, "--checks", CHECKS, "--phases", self.phases,
            "--max-examples", str(SHORT_EXAMPLES if self.is_short else EXAMPLES),
            "--seed", str(self.seed), "--workers", "1",
            "--request-timeout", str(CALL_SECONDS_MAX), "--suppress-health-check", "all",
            "--generation-database", "none", "--continue-on-failure", "--warnings", "off",
            *(part for it in left_out for part in ("--exclude-operation-id", it)),
        ]
        log = self.place / "schemathesis.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env,
                                       cwd=self.place)
        children.add(process)
        code = self.code(process)
        found = json.loads(counts.read_text()) if counts.exists() else None
        if code != 0 or found is None or found["failures"]:
            raise Failed(f"{log.read_text()[-20_000:]}\nall of it is in {log}")
        return Counter(found["calls"])

    def code(self, process: subprocess.Popen) -> int:
        """What Schemathesis ends with. A short run is cut off, and that is no failure of it."""
        try:
            return process.wait(SHORT_SECONDS_MAX if self.is_short else PORTION_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            if not self.is_short:
                raise Failed(f"it did not end in {PORTION_SECONDS_MAX} s") from None
            process.send_signal(signal.SIGINT)
            # A call that it waits for ends by then, or has hung.
            process.wait(CALL_SECONDS_MAX)
            say(f"the machine is busy: cut off after {SHORT_SECONDS_MAX} s")
            return 0
        finally:
            if process.poll() is None:
                process.kill()


class Progress:
    """How far a run is, in a file, so that it goes on when it was interrupted."""

    def __init__(self, file: Path, seed: int, build: str):
        self.file, self.seed, self.build = file, seed, build
        self.done: dict[int, Counter] = {}

    @classmethod
    def of(cls, file: Path, wanted: int, seed: int | None) -> "Progress":
        """Of the run that was interrupted, if it is with the same gateway and this seed."""
        build = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()
        new = cls(file, random.randrange(1 << 32) if seed is None else seed, build)
        try:
            kept = json.loads(file.read_text())
        except (OSError, ValueError):
            return new
        before = cls(file, kept["seed"], kept["build"])
        before.done = {int(number): Counter(counts) for number, counts in kept["done"].items()}
        if seed not in (None, before.seed) or before.calls() >= wanted:
            return new
        if before.build != build:
            say(f"the run with SEED={before.seed} was of another build, and is begun anew")
            return cls(file, before.seed, build)
        say(f"going on with a run that was interrupted after {before.calls():,} calls")
        return before

    def calls(self) -> int:
        return sum(counts.total() for counts in self.done.values())

    def note(self, number: int, counts: Counter):
        self.done[number] = counts
        self.keep()

    def keep(self):
        done = {number: counts for number, counts in sorted(self.done.items())}
        kept = {"seed": self.seed, "build": self.build, "done": done}
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(kept))
        partial.replace(self.file)

    def numbers(self):
        """Of the portions that are not done yet."""
        number = 0
        while True:
            if number not in self.done:
                yield number
            number += 1


def run(place: Path, wanted: int, progress: Progress):
    """Until there were so many calls."""
    began, before = time.monotonic(), progress.calls()
    numbers, running = progress.numbers(), {}
    with pool(JOBS) as threads:
        while progress.calls() < wanted or running:
            while len(running) < JOBS and progress.calls() < wanted:
                number = next(numbers)
                portion = Portion(place, progress.seed, number)
                running[threads.submit(portion.run)] = number
            for ended in wait(running, return_when=FIRST_COMPLETED).done:
                number = running.pop(ended)
                progress.note(number, result_of(ended, progress.seed, number))
                made = progress.calls()
                rate = (made - before) / (time.monotonic() - began)
                say(f"{made:,} of {wanted:,} calls, {rate:.0f} a second")
    tell(sum(progress.done.values(), Counter()))


def run_short(place: Path, seed: int):
    """A portion without tokens and one with them, at the same time."""
    with pool(2) as threads:
        portions = [Portion(place / "short", seed, number, is_short=True) for number in (0, 1)]
        running = [threads.submit(portion.run) for portion in portions]
        done = [result_of(it, seed, number) for number, it in enumerate(running)]
    tell(sum(done, Counter()))


def result_of(future, seed: int, number: int) -> Counter:
    """What a portion has called; if it failed, it is the end of the run."""
    try:
        return future.result()
    except Exception as error:
        print(error, flush=True)
        say(f"portion {number} failed; `make fuzz-api SEED={seed} PORTION={number}` has it again")
        raise SystemExit(1) from None


def tell(calls: Counter):
    """What was called, in the end."""
    statuses = Counter()
    for label, count in calls.items():
        statuses[label.rsplit(" ", 1)[1]] += count
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    say(f"{calls.total():,} calls, and every answer was as the document says ({shown})")


def main():
    given = argparse.ArgumentParser()
    given.add_argument("place", type=Path)
    given.add_argument("--calls", type=int, default=500_000)
    given.add_argument("--seed", type=int)
    given.add_argument("--portion", type=int)
    given.add_argument("--short", action="store_true")
    given = given.parse_args()
    given.place.mkdir(parents=True, exist_ok=True)
    # However it is stopped, what it started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    if given.short:
        say(f"SEED={seed}")
        run_short(given.place, seed)
    elif given.portion is not None:
        tell(Portion(given.place / "again", seed, given.portion).run())
    else:
        progress = Progress.of(given.place / "progress.json", given.calls, given.seed)
        progress.keep()
        say(f"SEED={progress.seed} repeats this run")
        run(given.place, given.calls, progress)


try:
    main()
except KeyboardInterrupt:
    say("interrupted; without SEED, `make fuzz-api` goes on with it")
    sys.exit(130)
