"""The programs of a posting spec, less their values: what stands behind a `$` is filled in.

A `$` of a program's own is doubled. None of them needs more than its language brings.
"""

CURL_POST = r"""
LEAD=A-$$(date +%s)-$$$$   # your own id of the lead; the same again whenever you repeat the request
curl -sS --max-time $wait_s '$exchange/v1/leads' \
  -H "Authorization: Bearer $$KEY" -H "Idempotency-Key: $$LEAD" \
  -H 'Content-Type: application/json' --data-binary @- <<'BODY'
$post
BODY
"""

CURL_PING = r"""
LEAD=A-$$(date +%s)-$$$$   # your own id of the lead; the same again whenever you repeat a request
QUOTE=$$(curl -sS --max-time $wait_s '$exchange/v1/pings' \
  -H "Authorization: Bearer $$KEY" -H "Idempotency-Key: $$LEAD" \
  -H 'Content-Type: application/json' --data-binary @- <<'BODY'
$ping
BODY
)
echo "$$QUOTE"
PING_ID=$$(echo "$$QUOTE" | sed -n 's/.*"ping_id":"\([^"]*\)".*/\1/p')
[ -n "$$PING_ID" ] || exit 0   # nobody would take it
curl -sS --max-time $wait_s "$exchange/v1/pings/$$PING_ID/post" \
  -H "Authorization: Bearer $$KEY" -H "Idempotency-Key: $$LEAD" \
  -H 'Content-Type: application/json' --data-binary @- <<'BODY'
$post
BODY
"""

CURL_FORM = r"""
curl -sS --max-time $wait_s '$exchange/v1/leads' -H "Authorization: Bearer $$KEY" \
$form
"""

CURL_XML = r"""
curl -sS --max-time $wait_s '$exchange/v1/leads' -H "Authorization: Bearer $$KEY" \
  -H 'Content-Type: application/xml' -H 'Accept: application/xml' --data-binary @- <<'BODY'
$xml
BODY
"""

CLIENT_POST = r"""
import os
from exchange.client import Client, Consent, ExchangeError, InvalidLead

lead = $lead
consent = Consent($consent)

with Client("$exchange", os.environ["KEY"]) as exchange:
    try:
        answer = exchange.post(campaign=$campaign, source=$source, lead=lead,
                               consent=consent, test=True)
        if answer.status == "pending":
            answer = exchange.wait(answer.lead_id)
        print(answer.status, answer.price, answer.reason)
    except InvalidLead as error:
        print([(bad.field, bad.code) for bad in error.errors])
    except ExchangeError as error:
        print("not sold:", error)
"""

CLIENT_PING = r"""
import hashlib, os
from exchange.client import Client, Consent, ExchangeError

def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()

pinged = $pinged
person = $rest
consent = Consent($consent)

with Client("$exchange", os.environ["KEY"]) as exchange:
    try:
        quote = exchange.ping(campaign=$campaign, source=$source, lead=pinged, test=True)
        print(quote.status, quote.price)
        if quote.status == "quoted":
            answer = exchange.post_quote(quote, lead=person, consent=consent)
            print(answer.status, answer.price, answer.reason)
    except ExchangeError as error:
        print("not sold:", error)
"""

PYTHON_CALL = r"""
def call(path, body):
    headers = {"Authorization": "Bearer " + os.environ["KEY"], "Content-Type": "application/json",
               "Idempotency-Key": lead_key}
    request = urllib.request.Request("$exchange" + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=$wait_s) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.code} {error.read().decode()}")
"""

PYTHON_POST = (
    r"""
import json, os, urllib.error, urllib.request, uuid

lead_key = f"A-{uuid.uuid4()}"   # your own id of the lead; the same again when you repeat
"""
    + PYTHON_CALL
    + r"""
print(json.dumps(call("/v1/leads", $post)))
"""
)

PYTHON_PING = (
    r"""
import hashlib, json, os, urllib.error, urllib.request, uuid

lead_key = f"A-{uuid.uuid4()}"   # your own id of the lead; the same again when you repeat
"""
    + PYTHON_CALL
    + r"""
def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()

quote = call("/v1/pings", $ping)
print(json.dumps(quote))
if quote["status"] == "quoted":
    print(json.dumps(call(f"/v1/pings/{quote['ping_id']}/post", $post)))
"""
)

PHP_CALL = r"""
<?php
$$lead_key = 'A-' . bin2hex(random_bytes(8));   // your own id of the lead; the same when you repeat

function call(string $$path, array $$body): array
{
    global $$lead_key;
    $$request = ['http' => [
        'method' => 'POST',
        'header' => ['Authorization: Bearer ' . getenv('KEY'), 'Content-Type: application/json',
                     'Idempotency-Key: ' . $$lead_key],
        'content' => json_encode($$body),
        'timeout' => $wait_s,
        'ignore_errors' => true,
    ]];
    $$answer = file_get_contents('$exchange' . $$path, false, stream_context_create($$request));
    if ($$answer === false || !str_contains($$http_response_header[0], ' 200 ')) {
        exit(($$http_response_header[0] ?? 'no answer') . ' ' . $$answer);
    }
    return json_decode($$answer, true);
}
"""

PHP_POST = (
    PHP_CALL
    + r"""
echo json_encode(call('/v1/leads', $post)), "\n";
"""
)

PHP_PING = (
    PHP_CALL
    + r"""
$$quote = call('/v1/pings', $ping);
echo json_encode($$quote), "\n";
if ($$quote['status'] === 'quoted') {
    echo json_encode(call('/v1/pings/' . $$quote['ping_id'] . '/post', $post)), "\n";
}
"""
)

JAVASCRIPT_CALL = r"""
async function call(path, body) {
  const response = await fetch("$exchange" + path, {
    method: "POST",
    headers: { Authorization: "Bearer " + process.env.KEY, "Content-Type": "application/json",
               "Idempotency-Key": leadKey },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout($wait_s * 1000),
  });
  if (!response.ok) throw new Error(response.status + " " + (await response.text()));
  return response.json();
}
"""

JAVASCRIPT_POST = (
    r"""
import { randomUUID } from "node:crypto";

const leadKey = "A-" + randomUUID();   // your own id of the lead; the same again when you repeat
"""
    + JAVASCRIPT_CALL
    + r"""
console.log(JSON.stringify(await call("/v1/leads", $post)));
"""
)

JAVASCRIPT_PING = (
    r"""
import { createHash, randomUUID } from "node:crypto";

const leadKey = "A-" + randomUUID();   // your own id of the lead; the same again when you repeat
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
"""
    + JAVASCRIPT_CALL
    + r"""
const quote = await call("/v1/pings", $ping);
console.log(JSON.stringify(quote));
if (quote.status === "quoted") {
  console.log(JSON.stringify(await call("/v1/pings/" + quote.ping_id + "/post", $post)));
}
"""
)
