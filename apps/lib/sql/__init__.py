"""Statements: letter case on SQLite, arrays in conditions, compiled queries, prepared plans, rows
without models, keyset pages.
"""
