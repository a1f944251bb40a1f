"""The sender: claim, judge, hand over, book; and what takes over when a process dies."""
