"""What receivers report of a domain, by mail: DMARC (RFC 9990) and SMTP TLS (RFC 8460).

`read` takes a mail and gives the reports in it. Anybody can send such a mail: what it says is a
claim, and nothing is decided by it.
"""
