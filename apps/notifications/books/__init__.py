"""The books every send is kept in.

1. `tallies`: the sums beside the deliveries; a status moves its sums in the same transaction.
2. `transitions`: statuses that change where no sender holds the row.
3. `sleep`: notifications of which nothing is due for a while are not looked at until then.
4. `wake`: calls the senders of a lane.
5. `still`: whoever stopped something waits until no sender holds any of it.
6. `pointers`: repairs deliveries that point to a follower or an address that is gone.
7. `slices`: rows of a large send that wait for their first try, claimed hundreds at a time.
8. `let_go`: what was kept long enough is emptied, where no figure hangs on it.

Doors: all eight.
"""
