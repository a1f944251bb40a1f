"""Events of integrators: stored, matched with rules, turned into notifications.

1. `store` keeps what happened, announces the work, and forgets it later.
2. `rules` creates, changes and deletes "when this happens, tell them that".
3. `run_rules` works events off: each rule that names one is judged and notifies. Also rehearses.
4. `conditions` reads, judges and says what must be true of an event.

Doors: `store.record`, `rules`, `run_rules.rehearse`, `conditions.parse`.
"""
