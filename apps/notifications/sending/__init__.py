"""The sender: claim, judge, hand over, book; and what takes over when a process dies.

1. `sender`: the task of a lane. Its thread has the database, and keeps one shift per account.
2. `choose`: which notifications have something due, and which accounts it could go through.
3. `claim`: takes rows with a lease. `judge` decides about each: the others are skipped, wait, or
   are held for a digest. `held` renews the lease and gives rows back.
4. `shift`: one account at work. Its rows wait in a `line`; connections, a thread each, take them,
   make the message and hand it over, outside any transaction.
5. `journal`: each hand-over is noted on disk before and after.
6. `outcomes`: what the answers mean, booked for many rows at once; `remedies` tells the address,
   `key_refusals` finds out whose fault a refused key is.
7. `recover`: reads the journal of a dead sender and books what it knew.
8. `heard`: what providers report later, in any order, and mails that come back.

Doors: `sender` (tasks and schedules), `recover` (a schedule), those of `heard`,
and `judge` for digests. Everything else is private to the room.
"""
