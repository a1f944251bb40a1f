"""The preference center: what a follower sees and may change by a signed link."""
