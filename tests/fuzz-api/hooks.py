"""What Schemathesis is told of this gateway: ids that there are, and how many calls it has made.

Half of the ids in paths are real ones, so that answers with content are checked as well as
refusals.
"""

import atexit
import json
import os
import random
import threading

import schemathesis

IDS = json.loads(os.environ["HOOKGATE_FUZZ_IDS"])
COUNT = os.environ["HOOKGATE_FUZZ_COUNT"]

calls = 0
lock = threading.Lock()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    known = IDS.get(context.operation.path) if context.operation else None
    if known and path_parameters and random.random() < 0.5:
        return {name: random.choice(known) for name in path_parameters}
    return path_parameters


@schemathesis.hook
def after_call(context, case, response):
    global calls
    with lock:
        calls += 1


@atexit.register
def write_down():
    with open(COUNT, "w") as file:
        file.write(str(calls))
