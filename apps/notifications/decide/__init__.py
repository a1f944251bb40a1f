"""Whether a message goes now, waits, is held for a digest or is skipped:
pure decisions over gathered facts.
"""
