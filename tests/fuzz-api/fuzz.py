"""Starts a gateway with something in its store, and has Schemathesis call its admin port.

Never looks at an answer itself: that is what the OpenAPI document is for.
"""

import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SECRET = "whsec_of_the_fuzzer"
TOKEN = "the token of the fuzzer, which is long enough"
HERE = Path(__file__).resolve().parent

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
# These wait, do not end, or close the port for all that follow.
NOT_CALLED = ["waitUntilSettled", "streamEvents", "makeToken"]
# A call that takes longer has hung.
CALL_SECONDS = 20
# Most calls of an operation in one pass.
EXAMPLES_MAX = 2000

CONFIG = """
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"
plugins = "{plugins}"

[sources.stripe]
plugin = "stripe"
secrets = [{{ value = "{secret}" }}]

[handlers.dunning]
config = {{ alert_after = 1 }}
{more}
"""


class Gateway:
    """A gateway in a folder of its own, until it is stopped."""

    def __init__(self, folder: Path, more: str = ""):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plugins = Path("target/plugins").resolve()
        config = folder / "hookgate.toml"
        config.write_text(CONFIG.format(plugins=plugins, secret=SECRET, more=more))
        self.log = folder / "log"
        command = ["target/release/hookgate", "--log", "json", "serve", "--config", str(config)]
        with self.log.open("wb") as log:
            env = dict(os.environ, RUST_LOG="hookgate::cli=info,warn")
            self.process = subprocess.Popen(command, stderr=log, env=env)
        self.public, self.admin = (f"http://{it}" for it in self.addresses())

    def addresses(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                fields = json.loads(line).get("fields", {}) if line.endswith("}") else {}
                if "public" in fields and "admin" in fields:
                    return fields["public"], fields["admin"]
            time.sleep(0.05)
        raise SystemExit(f"fuzz-api: the gateway does not start:\n{self.log.read_text()}")

    def ask(self, path: str, method: str = "GET", body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} if data else {}
        request = urllib.request.Request(self.admin + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.loads(answer.read() or b"null")

    def post(self, body: str, secret: str):
        now = int(time.time())
        mac = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now},v1={mac}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.public}/in/stripe", body.encode(), headers)
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except urllib.error.HTTPError as refused:
            assert refused.code == 401, refused

    def fill(self):
        """Events of some kinds, requests that are refused, and a replay."""
        self.ask("/v1/reload", "POST")
        for number in range(50):
            kind = random.choice(["payment_failed", "succeeded", "canceled"])
            payment = {"id": f"pi_{number % 7}", "object": "payment_intent", "amount": 1000,
                       "currency": "usd"}
            event = {"id": f"evt_{number}", "object": "event", "created": 1_700_000_000,
                     "type": f"payment_intent.{kind}", "data": {"object": payment}}
            self.post(json.dumps(event), SECRET if number % 5 else "another secret")
        self.ask("/v1/replay", "POST", {"filter": {"source": "stripe"}})

    def ids(self):
        """Ids that there are, by the path in which they stand."""
        events = [it["id"] for it in self.ask("/v1/events?limit=50")["items"]]
        shown = [self.ask(f"/v1/events/{event}") for event in events]
        return {
            "/v1/events/{id}": events,
            "/v1/receipts/{id}": [it["id"] for it in self.ask("/v1/receipts?limit=50")["items"]],
            "/v1/runs/{id}": [run["id"] for event in shown for run in event["runs"]],
            "/v1/deliveries/{id}": [it["id"] for event in shown for it in event["deliveries"]],
            "/v1/replays/{id}": [it["id"] for it in self.ask("/v1/replays")["replays"]],
            "/v1/sources/{name}/refused": ["stripe"],
        }

    def stop(self):
        """Stops it in order; anything else is a fault."""
        alive = self.process.poll() is None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        panics = [line for line in self.log.read_text().splitlines() if "panicked" in line]
        if not alive or code != 0 or panics:
            raise SystemExit("\n".join(["fuzz-api: the gateway ended or panicked:", *panics]))


def call(place: Path, gateway: Gateway, ids, examples: int, seed: int, more) -> int:
    """One pass over the operations; gives how many calls it made."""
    count = place / "count"
    count.unlink(missing_ok=True)
    env = dict(os.environ, PYTHONPATH=str(HERE), SCHEMATHESIS_HOOKS="hooks",
               HOOKGATE_FUZZ_IDS=json.dumps(ids), HOOKGATE_FUZZ_COUNT=str(count.resolve()))
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str((place / "openapi.json").resolve()),
        "--url", gateway.admin, "--checks", CHECKS, "--phases", "coverage,fuzzing",
        "--max-examples", str(examples), "--seed", str(seed), "--workers", "2",
        "--request-timeout", str(CALL_SECONDS), "--suppress-health-check", "all",
        "--continue-on-failure", "--warnings", "off", *more,
    ]
    log = (place / "schemathesis.log").resolve()
    with log.open("wb") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=place)
    if ended.returncode != 0:
        print(log.read_text()[-20_000:])
        raise SystemExit(f"fuzz-api: failed with SEED={seed}; all of it is in {log}")
    return int(count.read_text())


def main():
    place, wanted = Path(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3] or random.randrange(1 << 32))
    print(f"fuzz-api: SEED={seed} repeats this run")
    random.seed(seed)
    gateway = Gateway(place / "gateway")
    try:
        gateway.fill()
        document = gateway.ask("/v1/openapi.json")
        (place / "openapi.json").write_text(json.dumps(document))
        ids = gateway.ids()
        leave_out = [part for it in NOT_CALLED for part in ("--exclude-operation-id", it)]
        made, passes = 0, 0
        while made < wanted:
            examples = max(10, min(EXAMPLES_MAX, (wanted - made) // 10))
            more = call(place, gateway, ids, examples, seed + passes, leave_out)
            made, passes = made + more, passes + 1
            print(f"fuzz-api: {made} of {wanted} calls", flush=True)
            if more == 0:
                raise SystemExit("fuzz-api: no call was made")
    finally:
        gateway.stop()

    # A token may not ask as often; the operations on tokens are called in a gateway that has one.
    more = f'[tokens.fuzzer]\nsecrets = [{{ value = "{TOKEN}" }}]\nscopes = ["admin"]\n'
    gateway = Gateway(place / "gateway-with-tokens", more)
    try:
        with_token = ["--include-path-regex", "^/v1/tokens", "--rate-limit", "80/s",
                      "--header", f"authorization: Bearer {TOKEN}"]
        made += call(place, gateway, {}, min(200, wanted), seed, with_token)
    finally:
        gateway.stop()
    print(f"fuzz-api: {made} calls, and every answer was as the document says")


main()
