"""Whether a database is whole: its pages, what its rows refer to, its search index."""

from __future__ import annotations

from collections.abc import Mapping

from server.store.contract import Reader, Statement, Store

FAULTS_TOLD = 5

_PAGES = f"PRAGMA integrity_check({FAULTS_TOLD})"
_REFERENCES = """
SELECT "table" AS child, parent, COUNT(*) AS orphans FROM pragma_foreign_key_check GROUP BY 1, 2"""

_NAMES = """
SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
  AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 4) <> '_cf_' ORDER BY name"""

# With a rank of 1 the index is compared with the texts, too.
_SEARCH = Statement("INSERT INTO lead_search (lead_search, rank) VALUES ('integrity-check', 1)")

_UNFINISHED = "SELECT asked_at FROM upkeep WHERE task = 'restore'"

_ORPHAN = "SELECT COUNT(*) AS orphans FROM {child} AS c WHERE {condition}"
_WITHOUT_SESSION = """NOT EXISTS (SELECT 1 FROM sessions AS s
  WHERE s.client_id = c.client_id AND s.session_id = c.session_id)"""
_WITHOUT_CLIENT = "{0} NOT IN (SELECT id FROM clients)"

ORPHANS: Mapping[str, str] = {
    "page views without a session": _ORPHAN.format(child="page_views", condition=_WITHOUT_SESSION),
    "events without a session": _ORPHAN.format(child="events", condition=_WITHOUT_SESSION),
    "attempts without a delivery": _ORPHAN.format(
        child="delivery_attempts",
        condition="delivery_id NOT IN (SELECT delivery_id FROM deliveries)",
    ),
    "changes without a lead": _ORPHAN.format(
        child="lead_changes", condition="lead_id NOT IN (SELECT PublicId FROM Leads)"
    ),
    **{
        f"{child} of no client": _ORPHAN.format(
            child=child, condition=_WITHOUT_CLIENT.format(column)
        )
        for child, column in {
            "Leads": "ClientId",
            "sessions": "client_id",
            "fingerprints": "client_id",
            "form_responses": "client_id",
            "deliveries": "client_id",
        }.items()
    },
}
"""What is counted → the query of rows that refer to nothing; foreign keys do not hold them all."""


async def page_faults(reader: Reader) -> list[str]:
    """What SQLite finds wrong in pages, rows and indexes, at most 5; raises StoreError."""
    told = [str(row["integrity_check"]) for row in await reader.query(_PAGES)]
    return [text for text in told if text != "ok"]


async def broken_references(reader: Reader) -> list[str]:
    """Which tables have rows that refer to none; raises StoreError."""
    return [
        f"{row['orphans']} of {row['child']} without {row['parent']}"
        for row in await reader.query(_REFERENCES)
    ]


async def orphans(reader: Reader) -> list[str]:
    """What of `ORPHANS` there is; raises StoreError."""
    counted = {what: await reader.query(sql) for what, sql in ORPHANS.items()}
    return [f"{rows[0]['orphans']} {what}" for what, rows in counted.items() if rows[0]["orphans"]]


async def count_rows(reader: Reader) -> dict[str, int]:
    """The rows of each table; raises StoreError for one that cannot be read."""
    counts = {}
    for table in [row["name"] for row in await reader.query(_NAMES)]:
        (row,) = await reader.query(f'SELECT COUNT(*) AS rows_there FROM "{table}"')
        counts[table] = int(row["rows_there"])
    return counts


async def check_search(store: Store) -> None:
    """Compare the search index with the leads; raises StoreError where they differ."""
    await store.write([_SEARCH], patience_seconds=600)


async def unfinished_restore(reader: Reader) -> str | None:
    """When a restore began that has not ended; raises StoreError."""
    rows = await reader.query(_UNFINISHED)
    return str(rows[0]["asked_at"]) if rows else None
