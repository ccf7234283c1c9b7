"""E-mail by SMTP: a mail for each message and each change of one, as answers to the first mail of their key."""

import base64
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Annotated, Any, Literal

import structlog
from pydantic import Field, model_validator

from gates.notify.messages import Message, Picture, Post, Reply, Role, as_text, cut, title_of
from host.home import Home
from notify.channel import CONFIGURATION_S, TEMPORARY_S, Channel, ChannelSettings, ChannelTrouble
from notify.outbox import Outbox
from settings.notify import Reference

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
Address = Annotated[str, Field(pattern=f"^{ADDRESS.pattern}$", max_length=254)]
LONGEST_SUBJECT = 150
# Replies that a person must mend first (RFC 4954, 5321): authentication, its strength, TLS.
CONFIGURATION = (530, 534, 535, 538)

log = structlog.get_logger("email")


class EmailSettings(ChannelSettings):
    """Messages by e-mail."""

    host: str = Field(min_length=1, max_length=253)
    """Name of the mail server."""
    port: int = Field(587, ge=1, le=65535)
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` and `tls` check the server's certificate; `none` is for a relay on this host."""
    user: str = Field("", max_length=200)
    """Name for the login. Empty: no login."""
    password: Reference = ""
    """Reference of the password."""
    sender: Address
    """Address that mails come from."""
    to: tuple[Address, ...] = Field(min_length=1, max_length=50)
    """Addresses that get the mails."""
    authors: bool = False
    """Mail a commit's author instead of `to`."""
    timeout_seconds: float = Field(10, ge=0.5, le=60)
    """How long one step may take."""

    @model_validator(mode="after")
    def _check(self) -> "EmailSettings":
        if bool(self.user) is not bool(self.password):
            raise ValueError("user and password must both be set, or neither")
        if self.password and self.security == "none":
            raise ValueError('a password is not sent unencrypted: security must be "starttls" or "tls"')
        return self


class EmailChannel(Channel[EmailSettings]):
    settings_type = EmailSettings

    def __init__(self, name: str, settings: EmailSettings, home: Home, outbox: Outbox) -> None:
        super().__init__(name, settings, home, outbox)
        self._password = self.secret("password")

    def check(self) -> str:
        with self._connected() as smtp:
            smtp.noop()
        return f"{self.settings.host}:{self.settings.port} takes mail from us"

    def send(self, post: Post) -> None:
        mail = self._mail(post)
        if mail is None:
            return
        with self._connected() as smtp:
            if refused := smtp.send_message(mail):
                log.warning("refused for some", addresses=sorted(refused))
        if self.recall_thread(post.key) is None:
            self.remember_thread(post.key, mail["Message-ID"])

    def _mail(self, post: Post) -> EmailMessage | None:
        mail = EmailMessage()
        match post.content:
            case Message() as message:
                mail["Subject"] = _one_line(title_of(message))
                mail.set_content(_text(message))
                mail.add_alternative(_html(message), subtype="html")
            case Reply(text=text, role=Role.NOTE):
                mail["Subject"] = _one_line(text.partition("\n")[0])
                mail.set_content(text)
            case Picture(title=title, png=png):
                mail["Subject"] = _one_line(title)
                mail.set_content(title)
                mail.add_attachment(base64.b64decode(png), maintype="image", subtype="png", filename="plot.png")
            case _:
                return None  # steps are in the next message, repeats were just sent
        to = self.settings.to
        if self.settings.authors and len(post.email) <= 254 and ADDRESS.fullmatch(post.email):
            to = (post.email,)
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(to)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Auto-Submitted"] = "auto-generated"
        # The same at every try: a mail that is sent twice is known as one.
        mail["Message-ID"] = f"<slipway.{post.id}@{self.settings.sender.partition('@')[2]}>"
        if first := self.recall_thread(post.key):
            mail["In-Reply-To"] = mail["References"] = first
        return mail

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """Connect and log in. Raises ChannelTrouble for what goes wrong then, and while it is used."""
        try:
            with closing(self._connect()) as smtp:
                if self.settings.user:
                    smtp.login(self.settings.user, self._password)
                yield smtp
                with suppress(smtplib.SMTPException, OSError):  # the mail is taken: what follows must not send it again
                    smtp.quit()
        except smtplib.SMTPRecipientsRefused as error:
            raise _trouble(*max(error.recipients.values())) from error
        except smtplib.SMTPResponseException as error:
            raise _trouble(error.smtp_code, error.smtp_error) from error
        except ssl.SSLCertVerificationError as error:
            raise ChannelTrouble(f"Email: the server's certificate: {error.verify_message}", CONFIGURATION_S) from error
        except smtplib.SMTPNotSupportedError as error:
            raise ChannelTrouble(f"Email: {error}", CONFIGURATION_S) from error
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelTrouble(f"Email: does not answer ({type(error).__name__})", TEMPORARY_S) from error

    def _connect(self) -> smtplib.SMTP:
        at = self.settings
        context = ssl.create_default_context()
        if at.security == "tls":
            return smtplib.SMTP_SSL(at.host, at.port, timeout=at.timeout_seconds, context=context)
        smtp = smtplib.SMTP(at.host, at.port, timeout=at.timeout_seconds)
        if at.security == "starttls":
            try:
                smtp.starttls(context=context)
            except BaseException:
                smtp.close()
                raise
        return smtp


def _trouble(code: int, said: bytes | str) -> ChannelTrouble:
    """Return what an SMTP reply means: 4xx is for now, 5xx for good (RFC 5321, 4.2.1)."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    wait_s = TEMPORARY_S if code < 500 else CONFIGURATION_S if code in CONFIGURATION else None
    return ChannelTrouble(f"Email: {code} {cut(' '.join(text.split()), 200)}", wait_s)


def _one_line(text: str) -> str:
    """Return text for a header: no control characters, and not too long."""
    return cut(" ".join("".join(sign if sign.isprintable() else " " for sign in text).split()), LONGEST_SUBJECT)


def _text(message: Message) -> str:
    links = [f"{link.text}: {link.url}" for link in message.links]
    return "\n".join([as_text(message), *links, *([message.footer] if message.footer else [])]) + "\n"


def _html(message: Message) -> str:
    def tags(name: str, values: Any) -> str:
        return "".join(f"<{name}>{value}</{name}>" for value in values)

    rows = [f"<th align=left>{escape(name)}</th><td>{escape(value)}</td>" for name, value in message.facts]
    links = [f'<a href="{escape(link.url)}">{escape(link.text)}</a>' for link in message.links]
    parts = [
        f"<h3>{escape(title_of(message))}</h3>",
        f"<table>{tags('tr', rows)}</table>",
        f"<ul>{tags('li', map(escape, message.lines))}</ul>",
        tags("p", [" · ".join(links), f"<small>{escape(message.footer)}</small>"]),
    ]
    return f"<!doctype html>\n<html><body>{''.join(parts)}</body></html>\n"


CHANNEL = EmailChannel
