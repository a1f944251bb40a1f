"""The doctor: what the DNS and a relay say of a domain that sends mail, and what to publish."""
