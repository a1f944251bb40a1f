"""`make chaos`: the promises of docs/reliability.md, proven on real processes,
killed and starved on purpose.
"""
