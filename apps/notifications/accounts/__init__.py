"""The ways out: provider accounts, which of them can be used now,
and what their answers say about them.

1. `edit`: staff add and change accounts; a new site gets its first ones.
2. `routing`: which accounts a message may take now, and in which order.
3. `health`: what hand-overs say about an account is noted; `breaker` decides when it is left
   alone and tried again.
4. `slow_domains`: which answers ask for less, and what pace follows.
5. `hold_ups`: why messages wait, in words for pages and the API.
6. `try_out`: one message to an address that a person gives. `at_once`: one past the books, to a
   place that is nobody's address yet. `browser_push`: the key that browsers subscribe with.

Doors: `edit`, `routing`, `health`, `hold_ups`, `try_out`, `at_once`, `browser_push`. The other two
decide without a database, for `health` and `limits`.
"""
