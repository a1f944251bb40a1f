"""Events of integrators: stored, matched with rules, turned into notifications."""
