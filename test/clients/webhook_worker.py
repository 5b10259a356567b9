"""One of many workers of webhooks: claims and completes deliveries without sending them, and writes a line of JSON to LOG
for each claim, before it completes anything of it, and for each completion.

usage: webhook_worker.py LOG LEASE_IN_SECONDS ENOUGH [hold]

Connects as libpq's environment says. Ends once the file ENOUGH exists and no delivery is open any more, with status 1 if
that takes more than four minutes. With hold: its second claim that brings something is never completed; it prints "holding" and waits to be killed.
Times are of this machine's clock, from just before a claim until just after it: what the server takes for the claim's
time lies between.
"""

import json
import os
import sys
import time

import psycopg2

log_file = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
lease = f"{sys.argv[2]} seconds"
holds = sys.argv[4:] == ["hold"]
store = psycopg2.connect("")
store.autocommit = True
cursor = store.cursor()
deadline = time.time() + 240
claims = 0

while time.time() < deadline:
    # Asked before the claim: what is written after it does not matter where nobody writes any more.
    is_enough = os.path.exists(sys.argv[3])
    before = time.time()
    cursor.execute("SELECT delivery_id, attempt, tenant_id FROM claim_webhook_deliveries(10, %s)", (lease,))
    rows = cursor.fetchall()
    after = time.time()
    for delivery, attempt, tenant in rows:
        log_file.write(json.dumps({"claim": delivery, "attempt": attempt, "tenant": tenant, "before": before, "after": after}) + "\n")
    claims += bool(rows)
    if holds and claims == 2:
        print("holding", flush=True)
        time.sleep(240)
        sys.exit(1)
    for delivery, attempt, _ in rows:
        cursor.execute("SELECT complete_webhook_delivery(%s, %s, 200)", (delivery, attempt))
        log_file.write(json.dumps({"completed": delivery, "attempt": attempt, "outcome": cursor.fetchone()[0]}) + "\n")
    if not rows:
        if is_enough:
            cursor.execute("SELECT EXISTS (SELECT FROM webhook_deliveries WHERE status IN ('pending', 'leased'))")
            if not cursor.fetchone()[0]:
                sys.exit(0)
        time.sleep(0.05)
sys.exit(1)
