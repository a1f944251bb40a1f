"""A big site for trying things out: a million believable followers and ten million messages.

1. `words`: expressions that both databases understand: lots, moments, public ids.
2. `bulk`: rows of a table by one statement; its indexes are built when the rows are there.
3. `crowd`: followers with addresses, tags, consent, preferences and suppressions.
4. `sendings`: campaigns and single notifications with deliveries, opens and clicks.
5. `site`: all of it in one transaction.

Door: `site`. The same seed makes the same people and the same messages.
"""
