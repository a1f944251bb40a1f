"""What is heard of a message later: from providers that took it, and from mails that come back.

1. `store`: an ESP's request leaves its events in a table, and is answered; a task works them off.
2. `returned_mail`: one mail that came back, a complaint or an opt-out by mail.
   `mailbox`: the mailbox to which they come, read by a task.
3. `events`: what either of them tells of a mail, in one vocabulary, as an act: on the delivery, its
   address, and what its reader wants.
4. `provider_reports`: the delivery's own part, for phones as for mails: forward only, each report
   once, in any order.

Doors: `store`, `mailbox`, `returned_mail` and, for phones, `provider_reports`.
"""
