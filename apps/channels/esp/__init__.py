"""Mail by the APIs of email service providers."""
