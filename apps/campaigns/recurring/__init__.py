"""Notifications that go out again and again, by wall clocks in many zones.

1. `edit` creates, changes, pauses, resumes and deletes them.
2. `recurrence` reckons when a cadence is due, purely.
3. `clocks` keeps a row with the next time for each zone they go by.
4. `occurrences` makes each time of each clock a notification, once, or writes down why not.

Doors: `edit`, `recurrence`, `clocks`. `occurrences` is called by the tick and the queue.
"""
