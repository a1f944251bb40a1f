"""What became of a notification and its messages, for people who look.

1. `balance`: audience = sent + failed + skipped + in doubt + cancelled + waiting; and every reason
   in words.
2. `trail`: the way of one delivery, step by step.
3. `undelivered`: what failed or is in doubt, by reason, for a person to decide.
4. `sent_to`: what one follower was sent.
5. `became`: opened, bounced, by a domain, at a time: one rule for a number and for its names.

Doors: all five. They return values; pages and the API word them.
"""
