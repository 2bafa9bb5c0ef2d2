"""What Schemathesis is told of this gateway: ids and tokens that there are; and what it has called.

Half of the ids in paths are real ones, so that answers with content are checked as well as
refusals.
"""

import atexit
import json
import os
import random
import threading
from collections import Counter
from pathlib import Path

import schemathesis
from hypothesis import strategies

GIVEN = json.loads(os.environ["HOOKGATE_FUZZ"])
IDS = GIVEN["ids"]
TOKENS = GIVEN["tokens"]
COUNTS = Path(GIVEN["counts"])

# Not the generator that Hypothesis seeds anew for each example.
chance = random.Random(GIVEN["seed"])
lock = threading.Lock()
# By the operation and the status of the answer.
calls = Counter()
failures = 0


@schemathesis.hook
def flatmap_path_parameters(context, path_parameters):
    known = IDS.get(context.operation.path) if context.operation else None
    as_it_is = strategies.just(path_parameters)
    if not known or not path_parameters:
        return as_it_is
    names = list(path_parameters)
    real = strategies.sampled_from(known).map(lambda it: {name: it for name in names})
    return strategies.one_of(real, as_it_is)


@schemathesis.hook
def before_call(context, case, kwargs):
    if TOKENS:
        case.headers["authorization"] = f"Bearer {chance.choice(TOKENS)}"


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        calls[f"{case.operation.label} {response.status_code}"] += 1


@schemathesis.hook
def after_validate(context, case, response, results):
    count_failures(sum(result.failure is not None for result in results))


@schemathesis.hook
def after_network_error(context, case, request):
    count_failures(1)


def count_failures(count):
    global failures
    with lock:
        failures += count


@atexit.register
def write_down():
    COUNTS.write_text(json.dumps({"calls": calls, "failures": failures}))
