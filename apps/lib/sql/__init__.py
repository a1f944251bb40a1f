"""Statements: letter case on SQLite, arrays in conditions, compiled queries, prepared plans, many
questions in one, rows without models, keyset pages.
"""
