"""Statements: letter case on SQLite, arrays in conditions, compiled queries, kept inserts, prepared
plans sent together, many questions in one, rows without models, keyset pages; those that end when
nobody waits; and connections that go from thread to thread.
"""
