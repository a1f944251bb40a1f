"""The ways out: provider accounts, which of them can be used now,
and what their answers say about them.
"""
