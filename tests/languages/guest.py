"""The Python example, which misbehaves on command: `{"do": "spin"}` as the data of an event.

It logs what came of it. Without a command it does what the example does.
"""

import json
import os
import socket
import time

import app
from wit_world.exports.handler import Context
from wit_world.imports import log
from wit_world.imports.types import Event

calls = 0


class Handler(app.Handler):
    def handle(self, event: Event, context: Context) -> None:
        global calls
        calls += 1
        command = json.loads(event.data)
        if "do" not in command:
            return super().handle(event, context)
        log.write(log.Level.INFO, str(COMMANDS[command["do"]](command)))


def printed(_) -> str:
    print("printed")
    return "written"


def spin(_) -> None:
    while True:
        pass


def hoard(_) -> None:
    hoarded = []
    while True:
        hoarded.append(bytearray(b"\1" * (1 << 20)))


def mistake(_) -> None:
    raise ValueError("told to")


def refused(attempt) -> str:
    """Whether the system refuses it."""
    try:
        attempt()
        return "allowed"
    except OSError:
        return "refused"


def connect(port: int) -> None:
    socket.socket().connect(("127.0.0.1", port))


COMMANDS = {
    "count": lambda _: calls,
    "now": lambda _: int(time.time() * 1000),
    "random": lambda _: os.urandom(8).hex(),
    "print": printed,
    "spin": spin,
    "hoard": hoard,
    "mistake": mistake,
    "sleep": lambda _: time.sleep(3600),
    "environment": lambda _: os.environ.get("PATH"),
    "files": lambda _: refused(lambda: open("/etc/passwd")),
    "network": lambda command: refused(lambda: connect(command["port"])),
}
