"""A statement that goes on until it is ended."""

from django.db import connection


def never_ending() -> None:
    sql = "SELECT pg_sleep(3600)"
    if connection.vendor == "sqlite":
        sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with connection.cursor() as cursor:
        cursor.execute(sql)
