"""Planned sending: campaigns to an audience, rules that answer events, and what recurs.

A campaign, from the first word to the last message:

1. `compose` creates a draft with words of its own, changes and deletes it; `pacing` says how fast
   it may go out. `simple_message` creates the plainest one.
2. `audience` reads whom it is for, and finds, counts and explains them.
3. `readiness` finds all that is wrong; `review` counts who would get it and who would not, of a
   million in one statement.
4. `lifecycle` schedules, sends, pauses, resumes, cancels, recalls and archives. It publishes the
   words, opens a notification and freezes the audience in a run. `digests` counts what waits for
   its readers' digests when all the rest was sent.
5. `launch` plans the run in slices; `apps.notifications` sends.
6. `public_archive` shows what has gone out to everybody, where staff want that.

`events` and `recurring` open notifications by themselves, and plan them by `launch`.

Doors for other apps: `compose`, `simple_message`, `readiness`, `review`, `lifecycle`, `pacing`,
`public_archive`, `models`, and the doors of the rooms. `launch` is called by the tick and the
queue.
"""
