"""The development mailbox: a real SMTP server on this machine that keeps what it accepts,
and pages to read it.
"""
