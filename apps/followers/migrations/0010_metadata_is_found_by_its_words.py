"""PostgreSQL finds followers by a value in their metadata (campaigns/audience/metadata_words.py)."""

from typing import Any

from django.db import migrations

# COST: in truth it is ten times as much. But PostgreSQL reckons it for rows that the index has found
# as well, and would rather ask it of each of many rows that something else has found.
# Words longer than an index can hold are left out: no rule can name one.
FUNCTION = """
CREATE OR REPLACE FUNCTION carillon_metadata_words(metadata jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.array_agg(word) FROM (
        SELECT key || pg_catalog.chr(31) || CASE pg_catalog.jsonb_typeof(value)
            WHEN 'string' THEN 's' || pg_catalog.upper(value #>> '{}')
            WHEN 'number' THEN 'n' || pg_catalog.trim_scale((value #>> '{}')::numeric)::text
            WHEN 'boolean' THEN 'b' || (value #>> '{}')
        END AS word
        FROM pg_catalog.jsonb_each(
            CASE pg_catalog.jsonb_typeof(metadata) WHEN 'object' THEN metadata ELSE '{}' END
        )
    ) words
    WHERE pg_catalog.octet_length(word) <= 2600
$$
"""
INDEX = """
CREATE INDEX follower_metadata_words ON followers_follower
USING gin (carillon_metadata_words(metadata))
"""


def add(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTION)
        schema_editor.execute(INDEX)


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX follower_metadata_words")
        schema_editor.execute("DROP FUNCTION carillon_metadata_words(jsonb)")


class Migration(migrations.Migration):
    dependencies = [("followers", "0009_exports")]

    operations = [migrations.RunPython(add, remove)]
