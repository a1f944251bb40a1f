"""Safety: what holds a send before a person does.

1. `brake` pauses a send of which too many messages are refused, and says so.
2. `restored` holds all that a database has waiting that is older than its machine remembers.
"""
