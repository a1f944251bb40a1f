"""Mail by SMTP and by Django's backends: the wire, the MIME, the signature."""
