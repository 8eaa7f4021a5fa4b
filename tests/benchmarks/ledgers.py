"""A ledger of years, written by one statement: jobs of every kind, undos, slots, batches."""

from typing import Any

#: What each engine calls a token of its own, a time so many minutes ago, and an empty array.
WORDS = {
    "sqlite": {
        "token": "printf('%032x', {i})",
        "ago": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || {minutes} || ' minutes')",
        "json": "'{value}'",
        "false": "0",
    },
    "postgresql": {
        "token": "lpad(to_hex({i}), 32, '0')::uuid",
        "ago": "now() - {minutes} * interval '1 minute'",
        "json": "'{value}'::jsonb",
        "false": "false",
    },
}
#: Of five runs one each is of a job that finds rows, one that finds none (or that nobody runs any
#: more), one that has failed since its first run, one that is skipped nine times of ten, and one of
#: a wrapped command. Of a thousand one was undone, of a hundred one has failed.
RUNS = """
INSERT INTO runbook_jobs_run (id, job, slot, covers, status, started, heartbeat, finished,
    exclusive, token, "user", host, pid, ci_url, parameters, arguments, change, model, cursor, due,
    changed, batches, failed, reason, output, allow, allow_reason, stop_asked, stop_reason,
    continues_id, undoes_id)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {runs})
SELECT i,
    CASE i % 5 WHEN 0 THEN 'expire_trials' WHEN 2 THEN 'always_fail' WHEN 3 THEN 'often_skip'
        WHEN 4 THEN 'clearsessions'
        ELSE CASE WHEN i < {runs} / 5 THEN 'retired' ELSE 'find_nothing' END END,
    CASE WHEN i % 5 = 0 THEN {started} END,
    NULL,
    CASE WHEN i < 6 THEN 'SUCCEEDED' WHEN i % 5 = 2 THEN 'FAILED'
        WHEN i % 5 = 3 AND i % 50 <> 48 THEN 'SKIPPED' WHEN i % 100 = 99 THEN 'FAILED'
        ELSE 'SUCCEEDED' END,
    {started}, {started}, {started}, {false}, {token}, 'me', 'laptop', 7, '',
    {empty}, {list}, {empty}, CASE WHEN i % 5 = 0 THEN 'accounts.account' ELSE '' END, NULL,
    CASE i % 5 WHEN 0 THEN 200 WHEN 1 THEN 0 END, CASE WHEN i % 5 = 0 THEN 200 ELSE 0 END,
    CASE WHEN i % 5 = 0 THEN 2 ELSE 0 END, 0,
    CASE WHEN i % 5 = 2 THEN 'disk full' ELSE '' END, '', NULL, '', NULL, '', NULL,
    CASE WHEN i % 5000 = 0 THEN i - 5 END
FROM n
"""
SLOTS = """
INSERT INTO runbook_jobs_slot (job, at, run_id)
SELECT job, slot, id FROM runbook_jobs_run WHERE slot IS NOT NULL
"""
BATCHES = """
INSERT INTO runbook_jobs_batch (run_id, number, changed, keys, finished)
SELECT id, n.number, 2, {keys}, started FROM runbook_jobs_run,
    (SELECT 1 AS number UNION ALL SELECT 2) AS n WHERE batches > 0 ORDER BY id, n.number
"""
#: A run every so many minutes.
MINUTES = 5


def fill(connection: Any, runs: int, *, batches: bool = False) -> None:
    """Write so many runs, one every five minutes up to now, into an empty ledger; look at it."""
    words = WORDS[connection.vendor]
    values = {
        "runs": runs,
        "started": words["ago"].format(minutes=f"({MINUTES} * ({runs} - i))"),
        "token": words["token"].format(i="i"),
        "false": words["false"],
        "empty": words["json"].format(value="{}"),
        "list": words["json"].format(value="[]"),
        "keys": words["json"].format(value="[1, 2]"),
    }
    statements = [RUNS, SLOTS, *([BATCHES] if batches else [])]
    if connection.vendor == "postgresql":
        statements.append("SELECT setval('runbook_jobs_run_id_seq', {runs})")
    with connection.cursor() as cursor:
        for statement in [*statements, "ANALYZE"]:
            cursor.execute(statement.format(**values))
