"""Open and click tracking: stored as they come in, counted for reading.

1. `store`: the web process hands events over at once; they are stored in batches, and counted
   where they are stored.
2. `counts`: how many opened and clicked, from the tallies.
3. `unsubscribed`: a message by whose link its reader left.

Doors: all three.
"""
