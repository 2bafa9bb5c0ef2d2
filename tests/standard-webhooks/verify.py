"""Verifies deliveries with the reference library of Standard Webhooks for Python.

They come as JSON on the input: a list of objects with a `name`, the `headers`, the `body`, and the
keys that must verify it (`verifies`) and must not (`refuses`). A key is a text that begins with
`whsec_` or `whpk_`, or a JSON Web Key.

A library that knows no `v1a` (Ed25519) is asked about `v1` alone; `v1a` is then verified here, by
the words of the specification and with the package `cryptography`. The last line says which it was.
"""

import base64
import importlib.metadata
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError


def signed(headers, body):
    """What the specification has signed."""
    return f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()


def by_specification(key, headers, body):
    """Whether one of the `v1a` signatures is of this key."""
    if isinstance(key, str):
        public = base64.b64decode(key.removeprefix("whpk_"), validate=True)
    else:
        assert (key["kty"], key["crv"], key["use"]) == ("OKP", "Ed25519", "sig"), key
        public = base64.urlsafe_b64decode(key["x"] + "=")
    public = Ed25519PublicKey.from_public_bytes(public)
    for signature in headers["webhook-signature"].split(" "):
        version, _, code = signature.partition(",")
        try:
            if version == "v1a":
                public.verify(base64.b64decode(code, validate=True), signed(headers, body))
                return True
        except InvalidSignature:
            pass
    return False


def by_library(key, headers, body):
    """Whether the library accepts this."""
    try:
        Webhook(key).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def public_key(pair):
    return "whpk_" + base64.b64encode(pair.public_key().public_bytes_raw()).decode()


def library_knows_v1a():
    """Whether the library accepts what a pair made here has signed, and by no other key."""
    pair, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time()))}
    code = base64.b64encode(pair.sign(signed(headers, "{}"))).decode()
    headers["webhook-signature"] = f"v1a,{code}"
    try:
        return by_library(public_key(pair), headers, "{}") and not by_library(
            public_key(other), headers, "{}"
        )
    except Exception:
        return False


def main():
    knows_v1a = library_knows_v1a()
    checks = 0
    for case in json.load(sys.stdin):
        headers, body = case["headers"], case["body"]
        for key, wanted in [(key, True) for key in case["verifies"]] + [
            (key, False) for key in case["refuses"]
        ]:
            is_shared = isinstance(key, str) and key.startswith("whsec_")
            verifiers = [by_library] if is_shared else [by_specification]
            if knows_v1a and not is_shared and isinstance(key, str):
                verifiers.append(by_library)
            for verifier in verifiers:
                # A body that somebody changed on the way has no good signature.
                for text, expected in [(body, wanted), (body + " ", False)]:
                    if verifier(key, headers, text) != expected:
                        sys.exit(f"{case['name']}: {key}: {verifier.__name__} is not {expected}")
                    checks += 1
    version, own = (importlib.metadata.version(it) for it in ("standardwebhooks", "cryptography"))
    by = "it" if knows_v1a else f"cryptography {own}, because the library knows no v1a"
    print(f"standardwebhooks {version} of PyPI: {checks} checks; v1a by {by}")


main()
