"""Who posts to the gateway, and whom it delivers to.

Senders do as a payment gateway does: they send an event until it is answered with 2xx, also when
the connection fails. Nothing here looks into the store.
"""

import hashlib
import hmac
import http.client
import http.server
import json
import ssl
import threading
import time
import urllib.parse

SENDERS = 4
# Between two requests of a sender.
PACE = 0.02
# Before a sender tries again.
AGAIN = 0.05
ANSWER = 10
# A first start compiles all plugins, and a source answers 503 until its own is there.
PATIENCE = 300


class Receiver:
    """An endpoint that takes everything, and remembers what."""

    def __init__(self):
        self.known = threading.Condition()
        # The ids of deliveries that brought each event.
        self.deliveries = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                event = json.loads(body)["id"]
                with receiver.known:
                    ids = receiver.deliveries.setdefault(event, set())
                    ids.add(self.headers["webhook-id"])
                    receiver.known.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """A gateway that is killed leaves requests that end in the middle."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hooks"

    def has_all(self, events, within):
        """Waits until each of these events has come, and gives those that have not."""
        events = set(events)
        with self.known:
            self.known.wait_for(lambda: events <= self.deliveries.keys(), timeout=within)
            return events - self.deliveries.keys()


class Senders:
    """Post events of Stripe until they are stopped."""

    def __init__(self, url, secret, trusted):
        self.url, self.secret, self.trusted = url, secret, trusted
        self.known = threading.Condition()
        self.answered = []
        # Tries that were not answered with 2xx, and those of them that nobody let in.
        self.put_off = self.turned_away = 0
        self.refused = None
        self.is_stopped = False
        self.threads = [threading.Thread(target=self._send, args=(number,), daemon=True)
                        for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def _connect(self):
        url = urllib.parse.urlsplit(self.url)
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname, url.port, timeout=ANSWER)
        context = ssl.create_default_context(cafile=str(self.trusted))
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=ANSWER, context=context)

    def _post(self, connection, body):
        signed = f"{int(time.time())}"
        digest = hmac.new(self.secret.encode(), f"{signed}.".encode() + body, hashlib.sha256)
        headers = {"stripe-signature": f"t={signed},v1={digest.hexdigest()}"}
        connection.request("POST", "/in/stripe", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def _send(self, sender):
        connection, number = None, 0
        while not self.is_stopped:
            event = f"evt_{sender}_{number}"
            try:
                connection = connection or self._connect()
                status = self._post(connection, payment(event))
            except (OSError, http.client.HTTPException) as error:
                status = None
                with self.known:
                    self.turned_away += isinstance(error, ConnectionRefusedError)
            if status == 200:
                with self.known:
                    self.answered.append(event)
                    self.known.notify_all()
                number += 1
                time.sleep(PACE)
                continue
            if status is not None and status not in (429, 503):
                with self.known:
                    self.refused = f"{event} was answered with {status}"
                    self.known.notify_all()
                return
            with self.known:
                self.put_off += 1
            if connection:
                connection.close()
            connection = None
            time.sleep(AGAIN)

    def more(self, count, within=PATIENCE):
        """Waits until so many more events are answered."""
        with self.known:
            enough = len(self.answered) + count
            reached = lambda: self.refused or len(self.answered) >= enough
            if not self.known.wait_for(reached, timeout=within) or self.refused:
                if self.refused:
                    raise AssertionError(self.refused)
                raise AssertionError(f"the gateway answers nobody: {len(self.answered)} so far")

    def stop(self):
        """Ends them, and gives the events that were answered with 2xx."""
        self.is_stopped = True
        for thread in self.threads:
            thread.join()
        if self.refused:
            raise AssertionError(self.refused)
        return self.answered


def payment(event):
    """An event of Stripe about a payment that failed."""
    intent = {"id": f"pi_{event}", "object": "payment_intent", "amount": 1999, "currency": "usd",
              "status": "requires_payment_method"}
    return json.dumps({"id": event, "object": "event", "type": "payment_intent.payment_failed",
                       "created": 1700000000, "livemode": False,
                       "data": {"object": intent}}).encode()
