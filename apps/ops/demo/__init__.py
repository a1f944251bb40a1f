"""The demo world of a first `make run`."""
