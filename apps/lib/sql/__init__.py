"""Statements: arrays in conditions, compiled queries, prepared plans, rows without models,
keyset pages.
"""
