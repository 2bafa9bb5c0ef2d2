// Follows up on failed payments: a notice for the customer after each, an alert after several.
//
// The same handler as `plugins/dunning`, whose comments say why it does what it does, written
// against `wit/` without an SDK. A list of bytes is a `Uint8Array` here, a 64-bit number a `BigInt`,
// a variant `{ tag, val }`, `none` is `undefined`; whoever throws a value that is not an `Error`
// returns it as the error, and an `Error` is a trap.

import { alert, emit } from "hookgate:plugin/outbox@0.2.0";
import { get as settings } from "hookgate:plugin/settings@0.2.0";
import * as state from "hookgate:plugin/state@0.2.0";

// The type of a notice.
const NOTICE = "customer.payment_failed_notice";
// The key in the state: the number of failures in a row.
const FAILURES = "failures";

export const handler = {
  describe() {
    return {
      name: "dunning-javascript",
      version: "0.1.0",
      types: ["payment.failed", "payment.succeeded"],
      emits: [NOTICE],
      settings: [
        {
          name: "alert_after",
          kind: { tag: "integer", val: [1n, 1000n] },
          required: false,
          default: "3",
          example: "5",
          help: "the number of failures in a row that raises an alert",
        },
      ],
      states: [],
    };
  },

  check() {},

  handle(event) {
    try {
      if (event.type === "payment.failed") {
        failed(event);
      } else if (event.type === "payment.succeeded") {
        state.delete(FAILURES);
      }
    } catch (error) {
      throw failure(error);
    }
  },
};

function failed(event) {
  const failures = loaded() + 1;
  state.set(FAILURES, new TextEncoder().encode(JSON.stringify(failures)));
  const label = event.labels.find(([name]) => name === "decline_code");
  const notice = { failures, event: event.id, decline_code: label?.[1] };
  const { subject, money, labels } = event;
  emit({ type: NOTICE, subject, money, labels, data: JSON.stringify(notice), tenant: undefined });
  // One alert, and none for the failures after that.
  if (failures === JSON.parse(settings()).alert_after) {
    alert("warning", `payment ${subject ?? event.id} failed ${failures} times in a row`);
  }
}

function loaded() {
  const stored = state.get(FAILURES);
  return stored === undefined ? 0 : JSON.parse(new TextDecoder().decode(stored));
}

// What the gateway has refused fails the run for good. Anything else is a mistake, and a trap: its
// reason shows what was said last on standard error.
function failure(error) {
  const refusal = error?.payload;
  if (refusal === undefined) {
    console.error(String(error));
    return error;
  }
  return { kind: "permanent", reason: `${refusal.tag}: ${refusal.val}`, retryAfterMs: undefined };
}
