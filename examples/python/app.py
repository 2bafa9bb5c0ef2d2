"""Follows up on failed payments: a notice for the customer after each, an alert after several.

The same handler as `plugins/dunning`, whose comments say why it does what it does, written against
`wit/` without an SDK. Whoever raises `Err` returns its value as the error; any other exception is a
trap, and its traceback is in the reason.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Context, HandlerInfo
from wit_world.imports import outbox, settings, state
from wit_world.imports.types import (
    Event,
    Failure,
    FailureKind,
    Setting,
    SettingKind_Integer,
)

# The type of a notice.
NOTICE = "customer.payment_failed_notice"
# The key in the state: the number of failures in a row.
FAILURES = "failures"


class Handler(exports.Handler):
    def describe(self) -> HandlerInfo:
        alert_after = Setting(
            name="alert_after",
            kind=SettingKind_Integer((1, 1000)),
            required=False,
            default="3",
            example="5",
            help="the number of failures in a row that raises an alert",
        )
        return HandlerInfo(
            name="dunning-python",
            version="0.1.0",
            types=["payment.failed", "payment.succeeded"],
            emits=[NOTICE],
            settings=[alert_after],
            states=[],
        )

    def check(self) -> None:
        pass

    def handle(self, event: Event, context: Context) -> None:
        try:
            if event.type == "payment.failed":
                failed(event)
            elif event.type == "payment.succeeded":
                state.delete(FAILURES)
        except Err as refused:
            # What the gateway has refused fails the run for good.
            raise Err(Failure(FailureKind.PERMANENT, str(refused.value), None)) from None


def failed(event: Event) -> None:
    stored = state.get(FAILURES)
    failures = (0 if stored is None else json.loads(stored)) + 1
    state.set(FAILURES, compact(failures).encode())
    notice = {"failures": failures, "event": event.id}
    decline_code = dict(event.labels).get("decline_code")
    if decline_code is not None:
        notice["decline_code"] = decline_code
    outbox.emit(
        outbox.Emission(
            type=NOTICE,
            subject=event.subject,
            money=event.money,
            labels=event.labels,
            data=compact(notice),
            tenant=None,
        )
    )
    # One alert, and none for the failures after that.
    if failures == json.loads(settings.get())["alert_after"]:
        subject = event.subject if event.subject is not None else event.id
        message = f"payment {subject} failed {failures} times in a row"
        outbox.alert(outbox.Severity.WARNING, message)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
