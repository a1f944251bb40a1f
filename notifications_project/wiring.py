"""Meeting places of apps that don't know each other, as dotted paths: providers, who hears a fact,
what runs when.
"""

# A provider is one file and one line here (docs/extend.md).
PROVIDERS = {
    "smtp": "apps.channels.mail.smtp.Smtp",
    "amazon_ses": "apps.channels.esp.ses.AmazonSes",
    "brevo": "apps.channels.esp.brevo.Brevo",
    "mailgun": "apps.channels.esp.mailgun.Mailgun",
    "postmark": "apps.channels.esp.postmark.Postmark",
    "sendgrid": "apps.channels.esp.sendgrid.SendGrid",
    "django_mail": "apps.channels.mail.django_mail.DjangoMail",
    "in_app": "apps.inbox.deliver.InApp",
    "twilio": "apps.channels.sms.twilio.Twilio",
    "vonage": "apps.channels.sms.vonage.Vonage",
    "sinch": "apps.channels.sms.sinch.Sinch",
    "fcm": "apps.channels.push.fcm.Fcm",
    "apns": "apps.channels.push.apns.Apns",
    "web_push": "apps.channels.push.web_push.WebPush",
    "webhook": "apps.channels.https.webhook.StandardWebhooks",
    "twilio_voice": "apps.channels.sms.voice.TwilioVoice",
}

# Hears whatever may stop messages to somebody; who said it is answered when none leaves any more.
STOPPED = "apps.notifications.books.still.wait_for_followers"

# Each is called with the facts inside the transaction of the change: `subscriber(facts)`.
# "*" hears everything.
EVENT_SUBSCRIBERS = {
    "*": ["apps.accounts.audit.record"],
    "notification.finished": ["apps.campaigns.lifecycle.follow"],
    "database.restore_answered": ["apps.campaigns.launch.on_restore_answered"],
    "notification.paused": ["apps.campaigns.lifecycle.follow"],
    "notification.resumed": ["apps.campaigns.lifecycle.follow"],
    "notification.cancelled": ["apps.campaigns.lifecycle.follow"],
    "notification.retracted": ["apps.inbox.removal.on_retracted"],
    "notification.reopened": ["apps.campaigns.lifecycle.follow"],
    "delivery_preferences.changed": ["apps.notifications.decide.reconsider.rouse", STOPPED],
    "follower.changed": ["apps.notifications.decide.reconsider.rouse"],
    "follower.signed_up": ["apps.campaigns.welcome.on_signed_up"],
    "follower.unsubscribed": [STOPPED],
    "follower.merged": [STOPPED],
    "follower.erased": ["apps.notifications.books.erased.on_erased", STOPPED],
    "preferences.changed": [STOPPED],
    "address.suppressed": [STOPPED],
    "device.gone": [STOPPED],
    "webhook.removed": [STOPPED],
    "webhook.switched_off": [STOPPED],
}

# The tick calls each one with `now=`; it looks in its tables for due work, claims it there and
# announces tasks. Name: (dotted path, seconds between two looks).
SCHEDULES = {
    "campaigns due": ("apps.campaigns.launch.start_due", 1),
    "campaigns of which only digests wait": ("apps.campaigns.lifecycle.call_sent", 2),
    "launches to go on": ("apps.campaigns.launch.resume_stalled", 5),
    "recurring due": ("apps.campaigns.recurring.occurrences.start_due", 1),
    "occurrences to go on": ("apps.campaigns.recurring.occurrences.resume_stalled", 5),
    "clocks of new zones": ("apps.campaigns.recurring.clocks.add_new_zones", 60),
    "events to work off": ("apps.campaigns.events.store.announce_due", 2),
    "what was kept long enough": ("apps.analytics.retention.run.let_go", 10),
    "plans to go on": ("apps.notifications.plan.resume_stalled", 5),
    "notifications to wake": ("apps.notifications.books.sleep.wake_up", 1),
    "deliveries due": ("apps.notifications.sending.sender.announce_due", 1),
    "notifications that may sleep": ("apps.notifications.books.sleep.fall_asleep", 5),
    "notifications that overslept": ("apps.notifications.books.sleep.wake_overslept", 60),
    "leftovers to close": ("apps.notifications.control.close_leftovers", 2),
    "clicks that end chains": ("apps.notifications.engagement.store.tell_chains", 2),
    "results to count": ("apps.analytics.results.breakdowns.announce_due", 20),
    "digests due": ("apps.notifications.digests.flush.announce_due", 3),
    "replays to go on": ("apps.notifications.replay.resume_replays", 10),
    "domains to examine": ("apps.notifications.accounts.doctor.announce_due", 600),
    "slowed domains": ("apps.notifications.limits.domains.forget_recovered", 60),
    "uses to forget": ("apps.notifications.decide.caps.forget_old", 10),
    "events of providers": ("apps.notifications.sending.heard.store.announce_due", 2),
    "bounce mailbox": ("apps.notifications.sending.heard.mailbox.announce_due", 10),
    "expired leases": ("apps.notifications.sending.recover.expired_leases", 5),
    "idle devices": ("apps.followers.devices.push_devices.forget_idle", 60),
    "phone numbers to forget": ("apps.followers.devices.phone_codes.forget_old", 600),
    "privacy codes to forget": ("apps.followers.privacy.codes.forget_old", 600),
    "address claims to forget": ("apps.followers.people.address_claims.forget_old", 600),
    "sign-ups to ask about": ("apps.subscriptions.sign_up.mail.announce_forgotten", 30),
    "answers to forget": ("apps.api.idempotency.forget", 600),
    "generation of the database": ("apps.notifications.safety.restored.count_on", 5),
    "calls from tomorrow": ("apps.lib.queue.announce.free_from_tomorrow", 10),
    "notifications from tomorrow": ("apps.notifications.control.fetch_from_tomorrow", 10),
    "imports to go on": ("apps.followers.imports.run.resume_stalled", 10),
    "indexes of fields": ("apps.followers.fields.index.announce_missing", 600),
    "ledgers to seal": ("apps.accounts.ledger.seal_new", 30),
    "exports to go on": ("apps.followers.exports.write.resume_stalled", 10),
    "exports due": ("apps.followers.exports.due.start_due", 10),
    "exports to store": ("apps.followers.exports.store.announce_due", 10),
    "erasures to go on": ("apps.followers.privacy.remove.resume_stalled", 10),
    "exports to forget": ("apps.followers.exports.write.forget_old", 600),
}

# Tasks whose calls may still stand in a queue under an older path (lib/queue/moved_tasks.py):
# old path, new path. Those of 0.9 go with the release after 1.0.
MOVED_TASKS = {
    "apps.notifications.send.send_lane": "apps.notifications.sending.sender.send_lane",
    "apps.notifications.digest.flush_due": "apps.notifications.digests.flush.flush_due",
    "apps.notifications.control.replay_rest": "apps.notifications.replay.replay_rest",
    "apps.followers.imports.run": "apps.followers.imports.run.run",
    "apps.campaigns.occurrences.launch_occurrence": (
        "apps.campaigns.recurring.occurrences.launch_occurrence"
    ),
    "apps.campaigns.reactions.work_off": "apps.campaigns.events.run_rules.work_off",
    "apps.subscriptions.phone_code.send": "apps.subscriptions.center.phone_code.send",
}

# What lib.crypto has encrypted, for `manage.py rotate_keys`: (model, field,
# keys within it where it is JSON).
ENCRYPTED = {
    "provider accounts": ("notifications.ProviderAccount", "settings", ()),
    "waiting DKIM keys": ("notifications.WaitingKey", "key", ()),
    "bounce mailbox": ("notifications.BounceMailbox", "settings", ()),
    "addresses": ("followers.Address", "details", ("secret", "old_secret")),  # of webhooks
    "answers of the API": ("api.IdempotentCall", "answer", ()),
    "exports": ("followers.ExportChunk", "body", ()),
    "stores of exports": ("followers.ExportSchedule", "settings", ()),
    "erasures": ("followers.Erasure", "person", ()),
    "marks of erased people": ("followers.TombstoneKey", "key", ()),
}

# Take away what an app has of somebody who is erased, in the transaction in which their rows go:
# each is called with `person=` and `now=`, the audit log last, when it is known what was theirs.
ERASES = [
    "apps.analytics.erased.forget",  # before the books, which say what the person was sent
    "apps.notifications.books.erased.forget",
    "apps.inbox.erased.forget",
    "apps.accounts.erased.forget",
]

# Give what an app has of a follower who is merged into another to the one who stays, in the
# transaction of the merge: each is called with `kept=`, `gone=` and `now=`, both locked.
MERGES = [
    "apps.notifications.books.merged.take_over",
    "apps.campaigns.events.store.take_over",
    "apps.inbox.erased.take_over",
]

# Where others may have written about somebody who is erased: the columns in which their addresses
# are masked, or what takes them out of a row (followers/privacy/search.py). A test asks of
# every other table with words why it is not here.
SEARCHED = {
    "accounts.AuditEntry": "apps.accounts.erased.clear",
    "campaigns.Campaign": ["audience"],
    "campaigns.Event": ["data", "dedup_key"],
    "campaigns.EventOutcome": ["because"],
    "campaigns.Occurrence": ["audience", "problem"],
    "campaigns.Recurring": ["audience"],
    "campaigns.Run": ["audience"],
    "campaigns.Segment": ["rules"],
    "followers.Export": ["asked", "error"],
    "followers.ExportSchedule": ["asked", "error"],
    "followers.Import": ["error"],
    "followers.ImportProblem": "apps.followers.privacy.search.clear_problem",
    "followers.Shipment": ["error"],
    "followers.Suppression": ["note"],
    "notifications.BounceMailbox": ["error"],
    "notifications.HeardEvent": ["told"],
    "notifications.ProviderAccount": ["last_error", "trouble"],
    "notifications.SlowDomain": ["said"],
    "api.IdempotentCall": "apps.api.idempotency.clear",
    "followers.ExportChunk": "apps.followers.privacy.search.clear_chunk",
}

# Names the custom fields of followers, which templates may show: keys of `follower.metadata`.
FIELD_KEYS_KNOWN = "apps.followers.fields.fitting.known_keys"

# Rows that are chained by hash (accounts/ledger.py): the model, the columns that stay, those that
# may be erased, and the path to whom a row belongs, with whom it goes.
LEDGERS = {
    "audit": (
        "accounts.AuditEntry",
        ("at", "kind", "actor_kind", "actor_id", "subject_type", "subject_id"),
        ("actor_label", "ip", "subject_label", "data"),
        "",
    ),
    "consent": (
        "followers.ConsentRecord",
        ("at", "act", "source", "wording", "actor_kind"),
        ("scope", "reason", "actor_label", "ip", "user_agent"),
        "follower",
    ),
}

# What is written when everything about one person is taken out (followers/privacy/copies.py).
PERSON_EXPORT = "apps.analytics.everything.source.Everything"
PERSON_ARCHIVE = "apps.analytics.everything.archive.archive"

# Kinds of rows that can be taken out (followers/exports/source.py).
EXPORTS = {
    "followers": "apps.followers.exports.people.Followers",
    "segment": "apps.campaigns.audience.export_segment.SegmentMembers",
    "suppressions": "apps.followers.exports.people.Suppressions",
    "consent": "apps.followers.exports.people.Consent",
    "deliveries": "apps.notifications.reports.export_deliveries.Deliveries",
    "undelivered": "apps.analytics.exports.sending.Undelivered",
    "campaigns": "apps.analytics.exports.sending.Campaigns",
    "recurring": "apps.analytics.exports.sending.RecurringOnes",
    "notifications": "apps.analytics.exports.sending.Notifications",
    "events": "apps.analytics.exports.sending.Events",
    "event_rules": "apps.analytics.exports.sending.EventRules",
    "imports": "apps.analytics.exports.audience.Imports",
    "sign_up_forms": "apps.analytics.exports.audience.SignUpForms",
    "tags": "apps.analytics.exports.audience.Tags",
    "segments": "apps.analytics.exports.audience.Segments",
    "webhooks": "apps.analytics.exports.audience.Webhooks",
    "templates": "apps.analytics.exports.content.Templates",
    "layouts": "apps.analytics.exports.content.Layouts",
    "message_types": "apps.analytics.exports.content.MessageTypes",
    "caps": "apps.analytics.exports.content.Caps",
    "audit": "apps.analytics.exports.operating.Audit",
    "ledger": "apps.analytics.exports.operating.Ledger",
    "staff": "apps.analytics.exports.operating.Staff",
    "api_keys": "apps.analytics.exports.operating.ApiKeys",
    "accounts": "apps.analytics.exports.operating.Accounts",
}
