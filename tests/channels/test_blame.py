"""Whose fault a refusal is: answers as servers really give them, walked through the table."""

import pytest

from apps.channels.blame import Stage, Whose, accuses_account, refusal, used_up, whose_fault
from apps.channels.contract import Outcome, Remedy, Result

ACCOUNT = (
    # Gmail
    "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits",
    "550-5.4.5 Daily SMTP relay sending limit exceeded for this customer. q1 - gsmtp",
    "550 5.7.0 Mail relay denied [192.0.2.7]. Invalid credentials for relay",
    "530-5.7.0 Authentication Required. For more information, go to",
    # Exim, as shared hosting with cPanel speaks
    "550 Domain example.com has exceeded the max emails per hour (5/5 (100%)) allowed.",
    "550 example.com has exceeded the max defers and failures per hour (5/5 (100%)) allowed.",
    "550 Message rejected: 300 / hour limit",
    "550 relay not permitted, authentication required",
    "550-The account suspended for sending spam",
    # Postfix, alone and with a policy daemon
    "554 5.7.1 <anna@example.org>: Relay access denied",
    "553 5.7.1 <news@example.com>: Sender address rejected: not owned by user shop",
    "550 5.1.0 <news@example.com>: Sender address rejected: User unknown in local table",
    "554 5.7.1 <news@example.com>: Sender address rejected: Sending quota exceeded",
    # Microsoft 365 and Exchange
    "550 5.1.90 Your message can't be sent because you've reached your daily limit",
    "550 5.7.705 Access denied, tenant has exceeded threshold",
    "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
    "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    "530 5.7.57 Client not authenticated to send mail",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "554 5.2.252 SendAsDenied; news@example.com not allowed to send as x@example.com",
    "550 5.1.8 Access denied, bad outbound sender",
    # Yandex, mail.ru, OVH, GoDaddy, Strato, Zoho, Amazon SES, SendGrid, Mailgun
    "550 5.7.1 Sender limit exceeded: too many messages sent per day from this account",
    "553 5.7.1 Sender address rejected: not owned by auth user.",
    "550 Daily limit of outgoing messages exceeded for user news@example.com",
    "550 You have exceeded your hourly relay quota",
    "554 Message not allowed: outgoing mail limit reached",
    "550 5.4.6 Unusual sending activity detected. Your account is blocked",
    "554 Message rejected: Email address is not verified. The following identities failed",
    "451 You've exceeded your messaging limits: monthly limit reached",
    "550 Unauthenticated senders not allowed",
    "550 Number of messages sent per hour exceeds 200",
    "552 Too many recipients",
    "553 5.3.5 system config error",
    # a quota in a figure, in money, and in other languages
    "550 Account limit exceeded: you can send 100 mails/hour",
    "550 5.7.1 Maximum credits exceeded",
    "554 5.7.1 Sorry, insufficient funds",
    "554 5.7.1 The user [news@example.com] has sent too many mails",
    "550 Sie haben das Limit für ausgehende E-Mails erreicht",
    "550 Limite d'envoi atteinte",
    "550 Ha superado su límite diario de correos",
    "550 Превышен суточный лимит отправки писем",
    # whose sender nobody knows: 5.1.1 is said of that address
    "550 5.1.1 Sender verify failed: no such user",
    "550 5.1.1 <news@example.com>: Sender address rejected: undeliverable address: user unknown",
)
DOMAIN = (
    "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
    "553 http://www.spamhaus.org/query/bl?ip=192.0.2.7",
    "550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC",
    "550-5.7.1 [192.0.2.7] Our system has detected an unusual rate of unsolicited mail "
    "originating from your IP address",
    "550 5.7.1 message is likely suspicious due to the very low reputation of the sending domain",
    "550 5.7.606 Access denied, banned sending IP [192.0.2.7]",
    "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your "
    "Internet service provider since part of their network is on our block list (S3150)",
    "554 5.7.9 Message not accepted for policy reasons. See https://senders.yahooinc.com/",
    "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.7, because the ip is in "
    "Spamhaus's list",
    "554-No SMTP service 554-Bad DNS PTR resource record. See https://postmaster.gmx.net/",
    "554 Transaction failed. Reject due to policy restrictions. See https://postmaster.gmx.net/",
    "550 spam message rejected. Please visit notspam.mail.ru: your IP is on the blacklist",
    "554 5.7.1 [2] Message rejected under suspicion of SPAM: sender reputation is low",
    "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7",
    "550 Rejected by header based Anti-Spoofing policy: mimecast.com/docs#550",
    "550 Administrative prohibition - envelope blocked",
    "550 SPF check failed: 192.0.2.7 is not allowed to send from example.com",
    "550 5.7.1 no",
    "554 5.7.0 no",
    "550 Denied by policy",
    "550 5.1.1 sender IP is blocked, see https://www.spamhaus.org/query/ip/192.0.2.7",
    "550 5.1.1 Rejected: 192.0.2.7 is blacklisted",
)
RECIPIENT = (
    "550-5.1.1 The email account that you tried to reach does not exist",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "552 5.2.2 <anna@example.org> Quota exceeded (mailbox for user is full)",
    "552-5.2.2 The recipient's inbox is out of storage space and inactive",
    "550 5.2.1 The user you are trying to contact is receiving mail at a rate that",
    "550 5.4.1 Recipient address rejected: Access denied. For more information",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.7.1 <anna@example.org>: Recipient address rejected: User unknown",
    "554 delivery error: dd This user doesn't have a yahoo.com account",
    "550 5.1.1 Mailbox does not exist: quota@limit.example",
    "550 5.7.124 Sender not in allowed-senders list",
    "550 5.1.6 recipient no longer on server",
    "551 not our customer",
    "556 no mail here",
    "550 User spam@example.org not found",
    "550 no",
    "550 5.2.2 full",
    "552 5.2.2 Mailbox size limit exceeded",
    "550 Das Postfach ist voll",
    "552 Почтовый ящик переполнен, превышен лимит",
    "552 5.2.2 Превышен лимит почтового ящика",
    # who may write to a mailbox or a list
    "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
    "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized to send",
    "550 5.7.136 Sender not authenticated for this mailbox",
    "550 5.7.1 You may not have permission to post messages to the group",
    "550 5.7.1 Recipient not allowed to receive from external senders",
    "550 5.7.1 You are not authorized to send mail to this group",
    "525 5.7.13 <anna@example.org>: Recipient address rejected: Disabled recipient address",
    # words that accuse us too, where nobody is there
    "550 5.1.1 User unknown. Blocked using a policy",
)
CONTENT = (
    "552 5.3.4 Message size exceeds fixed limit",
    "552-5.2.3 Your message exceeded Google's message size limits",
    "552-5.7.0 This message was blocked because its content presents a potential",
    "554 5.6.0 This message has been scored as spam with a probability of more than 90%",
    "554 5.7.0 Reject, id=20025-09 - SPAM",
    "550 Virus Detected; Content Rejected",
    "554 Transaction failed: Duplicate header 'DKIM-Signature'.",
    "550 5.7.1 message content rejected",
    "550 5.6.7 no",
)


@pytest.mark.reported
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("said", ACCOUNT)
def test_what_the_account_has_used_up_or_may_not_is_nobody_elses_fault(
    said: str, stage: Stage
) -> None:
    assert whose_fault(said, stage=stage) is Whose.ACCOUNT


@pytest.mark.reported
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("said", DOMAIN)
def test_what_a_domain_thinks_of_us_is_neither_the_addresss_nor_the_messages_fault(
    said: str, stage: Stage
) -> None:
    assert whose_fault(said, stage=stage) is Whose.DOMAIN


@pytest.mark.parametrize("said", RECIPIENT)
def test_an_address_that_takes_no_mail_is_to_blame_itself(said: str) -> None:
    assert whose_fault(said, stage=Stage.RCPT) is Whose.RECIPIENT


@pytest.mark.parametrize("said", CONTENT)
def test_a_message_that_nobody_would_take_is_to_blame_itself(said: str) -> None:
    assert whose_fault(said, stage=Stage.DOT) is Whose.CONTENT


@pytest.mark.parametrize(
    ("stage", "whose"),
    [
        (Stage.MAIL, Whose.ACCOUNT),
        (Stage.RCPT, Whose.RECIPIENT),
        (Stage.DATA, Whose.CONTENT),
        (Stage.DOT, Whose.CONTENT),
        (Stage.CALL, Whose.CONTENT),
    ],
)
def test_an_answer_that_says_nothing_is_about_what_was_said_last(
    stage: Stage, whose: Whose
) -> None:
    assert whose_fault("550 no", stage=stage) is whose


def test_a_row_of_signs_is_judged_as_well() -> None:
    # a pattern that can read it in many ways would not come back
    assert whose_fault(f"550 user {'-' * 400}", stage=Stage.RCPT) is Whose.RECIPIENT


def test_before_a_recipient_is_named_only_a_size_is_not_the_accounts_fault() -> None:
    assert whose_fault("550 5.1.1 no such user", stage=Stage.MAIL) is Whose.ACCOUNT
    assert whose_fault("554 5.7.1 blocked using a list", stage=Stage.MAIL) is Whose.ACCOUNT
    assert whose_fault("552 no", stage=Stage.MAIL) is Whose.CONTENT
    assert whose_fault("552 5.3.4 no", stage=Stage.MAIL) is Whose.CONTENT


@pytest.mark.reported
@pytest.mark.parametrize(
    ("said", "used"),
    [
        ("451 4.7.1 Domain example.com has exceeded the max emails per hour (5/5 (100%))", True),
        ("454 4.7.0 Throttling failure: Daily message quota exceeded.", True),
        ("450 4.7.1 <news@example.com>: Sender address rejected: sending quota exceeded", True),
        ("421 4.7.0 You have exceeded your hourly limit", True),
        ("452 4.2.2 <anna@example.org> mailbox over quota, daily limit", False),
        ("450 4.2.1 The user you are trying to contact is receiving mail at a rate that", False),
        ("421 4.7.28 unusual rate of mail", False),
        ("450 4.2.0 greylisted", False),
        ("452 4.3.1 Insufficient system storage", False),
    ],
)
def test_a_quota_is_the_accounts_even_where_it_is_said_to_be_temporary(
    said: str, used: bool
) -> None:
    assert used_up(said) is used
    result = Result.TRANSIENT
    if used:
        result = Result.ACCOUNT
    assert refusal(said, stage=Stage.RCPT).result is result


def test_only_an_address_that_does_not_exist_is_suppressed() -> None:
    gone = refusal("550 5.1.1 no such user", stage=Stage.RCPT)
    assert gone == Outcome(
        Result.PERMANENT_RECIPIENT, "550 5.1.1 no such user", remedy=Remedy.BOUNCED
    )
    for said in (*ACCOUNT, *DOMAIN, *CONTENT, "550 5.1.1 You have exceeded your hourly quota"):
        for stage in Stage:
            assert refusal(said, stage=stage).remedy is Remedy.NONE, said


def test_what_was_said_before_a_recipient_was_named_costs_nobody_a_try() -> None:
    said = "550 5.4.5 Daily user sending limit exceeded"
    assert refusal(said, stage=Stage.MAIL) == Outcome(Result.ACCOUNT, said, charged=False)
    assert refusal(said, stage=Stage.RCPT) == Outcome(Result.ACCOUNT, said)
    assert refusal("451 4.3.0 later", stage=Stage.MAIL).charged is False
    assert refusal("451 4.3.0 later", stage=Stage.DATA).charged is False
    assert refusal("451 4.3.0 later", stage=Stage.DOT).charged is True


@pytest.mark.reported
@pytest.mark.parametrize(
    ("said", "account"),
    [
        ("You have exceeded your daily sending quota", True),
        ("Your account has been suspended", True),
        ("Not enough credits", True),
        ("The attachment exceeds the size limit", False),
        ("subject is missing", False),
        ("the body was refused by a policy", False),
    ],
)
def test_a_call_is_refused_for_the_account_where_the_provider_says_so(
    said: str, account: bool
) -> None:
    assert accuses_account(said) is account
