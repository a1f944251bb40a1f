"""Whether a message goes now, waits, is held for a digest or is skipped.

1. `gather`: what a decision depends on, fetched for many messages at once.
2. `decision`: the pure function that decides, and the reasons it gives.
3. `quiet_hours`: when a follower's quiet hours end and the next digest is made; pure.
4. `caps`: what a follower has got so far, counted as messages are claimed; `cap_rules`: staff set
   the caps.
5. `fallback`: one channel after the other, until one got through.
6. `machines`: whether a person opened or clicked, or a machine on the way; pure.
7. `reconsider`: a follower changed the rhythm, so what waited is asked again.

Doors: `gather` and `caps` for whoever claims, `fallback` for whoever learns how a message ended,
`decision` and `machines` for reasons, `cap_rules` for staff, `reconsider` for wiring.
"""
