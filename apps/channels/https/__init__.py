"""Calls to other people's servers: who is called, how an answer is read, webhooks."""
