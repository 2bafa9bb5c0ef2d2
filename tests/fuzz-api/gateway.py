"""A gateway with something in its store, for one portion of a run.

It listens on ports of its own and keeps all of its files in one folder. What it answers is looked
at here only as far as the store is to be filled. It has no master key, so it makes no endpoint with
a URL that was made up: it never sends anything to another machine.
"""

import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = Path("target/release/hookgate")
PLUGINS = Path("target/plugins")
SECRET = "whsec_of_the_fuzzer"
ENDPOINT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# A token may send 100 requests a second: together they may send more than is ever sent.
TOKENS = [f"token {number} of the fuzzer, which is long enough" for number in range(64)]
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
# A busy machine puts requests off, which is no fault.
BUSY_SECONDS_MAX = 30

CONFIG = """
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"
plugins = "plugins"

[sources.stripe]
plugin = "stripe"
secrets = [{{ value = "{secret}" }}]

[handlers.dunning]
config = {{ alert_after = 1 }}

# Nothing listens there: one gives up at once, so that there are dead letters, and one waits.
[endpoints.crm]
url = "http://127.0.0.1:9/"
events = ["payment.*"]
secrets = [{{ value = "{endpoint_secret}" }}]
retries = []

[endpoints.erp]
url = "http://127.0.0.1:9/"
events = ["payment.failed"]
secrets = [{{ value = "{endpoint_secret}" }}]
retries = ["1h"]
use_breaker = false

[egress]
allow = ["127.0.0.0/8"]
"""
TOKEN = """
[tokens.fuzzer-{number}]
secrets = [{{ value = "{token}" }}]
scopes = ["admin"]
"""


def answer_to(request):
    """The body of the answer to a request, which is sent again while the gateway is too busy."""
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.read()
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


class Gateway:
    """A gateway in a folder of its own, until it is stopped."""

    def __init__(self, folder: Path, has_tokens: bool):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "plugins").mkdir(parents=True)
        # No others: each would be compiled.
        for name in ("stripe", "dunning"):
            shutil.copy(PLUGINS / f"{name}.wasm", folder / "plugins")
        config = CONFIG.format(secret=SECRET, endpoint_secret=ENDPOINT_SECRET)
        self.tokens = TOKENS if has_tokens else []
        for number, token in enumerate(self.tokens):
            config += TOKEN.format(number=number, token=token)
        (folder / "hookgate.toml").write_text(config)
        self.log = folder / "log"
        command = [PROGRAM, "--log", "json", "serve", "--config", folder / "hookgate.toml"]
        env = dict(os.environ, RUST_LOG="hookgate::cli=info,warn")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=env)
        try:
            self.public, self.admin = (f"http://{it}" for it in self.addresses())
        except BaseException:
            self.process.kill()
            raise

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def addresses(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.lines():
                fields = json.loads(line).get("fields", {}) if line.endswith("}") else {}
                if "public" in fields and "admin" in fields:
                    return fields["public"], fields["admin"]
            time.sleep(0.05)
        raise RuntimeError("\n".join(["the gateway does not start:", *self.lines()]))

    def ask(self, path: str, method: str = "GET", body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} if method == "POST" else {}
        if self.tokens:
            headers["authorization"] = f"Bearer {self.tokens[0]}"
        request = urllib.request.Request(self.admin + path, data, headers, method=method)
        return json.loads(answer_to(request) or b"null")

    def post(self, body: str, secret: str):
        now = int(time.time())
        mac = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now},v1={mac}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.public}/in/stripe", body.encode(), headers)
        try:
            answer_to(request)
        except urllib.error.HTTPError as refused:
            assert refused.code == 401, refused

    def fill(self, random):
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
        of_one = {
            "/v1/events/{id}": events,
            "/v1/receipts/{id}": [it["id"] for it in self.ask("/v1/receipts?limit=50")["items"]],
            "/v1/runs/{id}": [run["id"] for event in shown for run in event["runs"]],
            "/v1/deliveries/{id}": [it["id"] for event in shown for it in event["deliveries"]],
            "/v1/replays/{id}": [it["id"] for it in self.ask("/v1/replays")["replays"]],
            "/v1/endpoints/{id}": [it["id"] for it in self.ask("/v1/endpoints")["items"]],
            "/v1/sources/{name}": ["stripe"],
            "/v1/plugins/{name}": [it["name"] for it in self.ask("/v1/plugins")["plugins"]],
        }
        # Also where an id is followed by what is done to the one thing, or what there is of it.
        paths = self.ask("/v1/openapi.json")["paths"]
        begins = {path: path.partition("}")[0] + "}" for path in paths}
        return {path: of_one[begin] for path, begin in begins.items() if begin in of_one}

    def stop(self):
        """Stops it in order; anything else is a fault."""
        is_alive = self.process.poll() is None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"the gateway did not stop in {STOP_SECONDS_MAX} s") from None
        panics = [line for line in self.lines() if "panicked" in line]
        if not is_alive or code != 0 or panics:
            said = f"the gateway ended by itself, with {code}, or panicked:"
            raise RuntimeError("\n".join([said, *panics]))
