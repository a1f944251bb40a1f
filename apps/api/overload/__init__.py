"""What happens when programs call faster than this machine can answer.

1. `urgency` says which calls may be refused, and which of those goes first;
2. `door` lets calls in that were answered before and are only repeated, and makes the refusal of
   the others, for the line in which requests wait (lib/network/turns.py).

Refused are calls that order something new: notify and events. Pages, what followers decide about
themselves, and all other calls wait their turn, before those.
"""
