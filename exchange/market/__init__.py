"""Market state in Valkey: claims, caps, holds, idempotency; changed only by the .lua files here.

Every key ends, or is bounded by what is configured:

| key | ends |
| --- | --- |
| `{campaign:ID}:claim:…`, `{vertical:ID}:claim:…` | with its lease, or the campaign's window |
| `{buyer:ID}:holds`, `{buyer:ID}:leases` | an entry with its sale, the key with its last entry |
| `{buyer:ID}:ended:SALE` | 120 s after the sale's end here (`Terms.ended_s`) |
| `{buyer:ID}:counters` | a window's counter two hours after it (`Market.prune`); totals stay |
| `{person:DIGEST}:buyers` | with the last buyer's window |
| `{seller:ID}:once:DIGEST` | a day after the first request (`Terms.once_s`) |
| `epoch`, `{…}:epoch` | stay: one for each buyer, campaign, vertical and seller |
| `buyers` | stays: one entry for each buyer who ever had a hold |

What a worker keeps in mind is bounded, too: the counters of the buyers it watches, at most
`calls_max` calls under way, one waiter for each request that waits for another one's end.
"""
