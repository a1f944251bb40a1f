"""The in-app channel: a provider that needs no network, and the inbox it fills.

1. `deliver` stores a message as an item, once.
2. `reading` lists items, counts the new ones, and marks them read, unread or archived.
3. `removal` takes retracted messages out of all inboxes.
4. `let_go` takes out what was kept long enough.

All of them are doors.
"""
