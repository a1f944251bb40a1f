"""Digests: what was held is gathered into one message when its hour comes."""
