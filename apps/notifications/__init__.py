"""Notifications: the way of a message, from an intent to an answer.

1. `types`: a message belongs to a type, which says on which channels it is offered and what its
   data must look like.
2. `notify`: somebody tells some people something. The intent is validated, pinned to a published
   version, and stored before it is answered.
3. `plan`: freezes the recipients, one delivery per person and channel, with what consent said.
4. `models`, `books`: deliveries, and the sums beside them, which move in the same transaction.
   A notification of which nothing is due sleeps.
5. `sending`: the sender of a lane claims what is due. `limits` say how many may leave now,
   `accounts` which way they go, and `decide` whether each goes, waits, is held for a digest or is
   skipped.
6. `messages`: a claimed row becomes the message of its channel, in the person's language. A
   connection hands it over, and a journal on disk knows what it did.
7. `sending` again: the answer decides where the row goes: sent, failed, waiting for another try,
   or in doubt. What it says of an address or an account is told there.
8. `digests`: what was held for a follower's hour goes out together, as a message of its own.
9. `sending.heard`, `engagement`: reports, mails that come back, opens and clicks come in later.

Beside the way: `control` pauses, cancels and retracts; `safety` holds a send by itself; `replay`
sends again what was not delivered; `preview` and `forecast` look before anything is stored;
`reports` tells people what became of it all.

Rooms import downwards only, in the order that pyproject.toml fixes ("The rooms of notifications").
"""
