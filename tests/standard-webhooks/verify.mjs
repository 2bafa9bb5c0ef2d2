// Verifies deliveries with the reference library of Standard Webhooks for JavaScript, which is
// installed in the folder that the first argument names.
//
// They come as JSON on the input: a list of objects with a `name`, the `headers`, the `body`, and
// the keys that must verify it (`verifies`) and must not (`refuses`). A key is a text that begins
// with `whsec_` or `whpk_`, or a JSON Web Key.
//
// A library that knows no `v1a` (Ed25519) is asked about `v1` alone; `v1a` is then verified here,
// by the words of the specification and with `node:crypto`. The last line says which it was.

import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const place = resolve(process.argv[2]);
const { Webhook, WebhookVerificationError } = createRequire(`${place}/`)("standardwebhooks");

/** What the specification has signed. */
const signed = (headers, body) =>
    Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);

/** Whether one of the `v1a` signatures is of this key. */
function bySpecification(key, headers, body) {
    const x = (text) => Buffer.from(text.slice("whpk_".length), "base64").toString("base64url");
    const jwk = typeof key === "string" ? { kty: "OKP", crv: "Ed25519", x: x(key) } : key;
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    return headers["webhook-signature"].split(" ").some((signature) => {
        const [version, code] = signature.split(",");
        const bytes = Buffer.from(code, "base64");
        return version === "v1a" && verify(null, signed(headers, body), publicKey, bytes);
    });
}

/** Whether the library accepts this. */
function byLibrary(key, headers, body) {
    try {
        new Webhook(key).verify(body, headers);
        return true;
    } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
    }
}

/** Whether the library accepts what a pair made here has signed, and by no other key. */
function libraryKnowsV1a() {
    const [pair, other] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
    const whpk = ({ publicKey }) => {
        const bytes = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
        return `whpk_${bytes.toString("base64")}`;
    };
    const headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": `${Math.floor(Date.now() / 1000)}`,
    };
    const code = sign(null, signed(headers, "{}"), pair.privateKey).toString("base64");
    headers["webhook-signature"] = `v1a,${code}`;
    try {
        return byLibrary(whpk(pair), headers, "{}") && !byLibrary(whpk(other), headers, "{}");
    } catch {
        return false;
    }
}

const knowsV1a = libraryKnowsV1a();
let checks = 0;
for (const { name, headers, body, verifies, refuses } of JSON.parse(readFileSync(0, "utf8"))) {
    const keys = [...verifies.map((key) => [key, true]), ...refuses.map((key) => [key, false])];
    for (const [key, wanted] of keys) {
        const isText = typeof key === "string";
        const isShared = isText && key.startsWith("whsec_");
        const verifiers = [isShared ? byLibrary : bySpecification];
        if (knowsV1a && isText && !isShared) verifiers.push(byLibrary);
        for (const verifier of verifiers) {
            // A body that somebody changed on the way has no good signature.
            for (const [text, expected] of [[body, wanted], [`${body} `, false]]) {
                if (verifier(key, headers, text) !== expected) {
                    const shown = JSON.stringify(key);
                    console.error(`${name}: ${shown}: ${verifier.name} is not ${expected}`);
                    process.exit(1);
                }
                checks += 1;
            }
        }
    }
}
const installed = readFileSync(`${place}/node_modules/standardwebhooks/package.json`, "utf8");
const by = knowsV1a ? "it" : "node:crypto, because the library knows no v1a";
console.log(
    `standardwebhooks ${JSON.parse(installed).version} of npm: ${checks} checks; v1a by ${by}`,
);
