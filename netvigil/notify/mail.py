"""Mail over SMTP: one message to one receiver, with a text and an HTML part."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, localtime
from typing import Any

CONNECT_SECONDS = 20.0


def build_mail(sender: str, receiver: str, delivery_id: str, message: dict[str, Any]) -> EmailMessage:
    """The mail (RFC 5322). Its Message-ID is the delivery's, so that a message that came twice is seen to be one.

    Headers refuse line breaks, so that no string from a device can add one.
    """
    mail = EmailMessage(policy=WIRE)
    mail["Subject"] = message["subject"]
    mail["From"] = f"netvigil <{sender}>"
    mail["To"] = receiver
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = f"<{delivery_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answer to us
    mail.set_content(message["text"])
    mail.add_alternative(message["html"], subtype="html")
    return mail


def send_mail(settings: dict[str, Any], password: str | None, mail: EmailMessage) -> None:
    """Hand the mail to the server of these settings; raises OSError (of which smtplib's errors are)."""
    host, port, security = settings["host"], settings["port"], settings["security"]
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if security == "tls":
        server = smtplib.SMTP_SSL(host, port, timeout=CONNECT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=CONNECT_SECONDS)
    with server:
        if security == "starttls":
            server.starttls(context=context)
        if settings["username"] is not None and password is not None:
            server.login(settings["username"], password)
        server.send_message(mail)


def why_not(error: OSError) -> str:
    """In a sentence why the mail was not taken."""
    if isinstance(error, smtplib.SMTPException):
        return _why_refused(error)
    match error:
        case ssl.SSLCertVerificationError():
            return "The mail server's certificate does not hold for its name."
        case TimeoutError():
            return "The mail server did not answer in time."
        case _:
            return "The mail server could not be connected to."


def _why_refused(error: smtplib.SMTPException) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"The mail server refused the user or password ({error.smtp_code})."
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(error.recipients.values()))
            return f"The mail server does not take mail for this receiver ({code} {_text(said)})."
        case smtplib.SMTPResponseException():
            return f"The mail server answered {error.smtp_code} {_text(error.smtp_error)}."
        case smtplib.SMTPNotSupportedError():
            return "The mail server does not offer STARTTLS or a way to log in."
        case _:
            return "The mail server broke the connection."


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
