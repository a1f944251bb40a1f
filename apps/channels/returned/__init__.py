"""What comes back by mail, read: bounces, delays, complaints, and answers of programs.

1. `mail_parts`: bytes, however damaged, as headers and parts.
2. `delivery_status` (RFC 3464) and `feedback` (RFC 5965): reports that machines write for machines.
3. `free_text`: bounces in words, by flufl.bounce and rules of our own.
4. `verdict`: what was said of an address: whose fault it is, and whether nobody will ever have it.

Doors: `reading`, which is pure, and `imap`: the mailbox from which they are fetched.
"""
