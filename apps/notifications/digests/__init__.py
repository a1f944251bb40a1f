"""Digests: what was held is gathered into one message when its hour comes.

1. `flush`: takes people's held rows, decides again about each, and opens one message for what may
   go together.
2. `items`: what a digest shows of each message in it.

Door: `flush` (a task and a schedule). Who holds rows for it is `sending.judge`.
"""
