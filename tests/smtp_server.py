"""A local mail server, as far as we use it: STARTTLS or TLS from the start, a login, and the refusals that one has."""

import base64
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.pems import Files, Issuer

USER, PASSWORD = "slipway", "a mail password"


@dataclass
class SmtpServer:
    """`refusals` are answered instead of what a command would get, by the command, once each."""

    context: ssl.SSLContext
    root: Path
    tls: bool = False
    offers_starttls: bool = True
    port: int = 0
    refusals: dict[str, list[str]] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, bool]] = field(default_factory=list)


class _Session(socketserver.BaseRequestHandler):
    server: "_Listener"
    request: socket.socket

    def handle(self) -> None:
        self.smtp, self.secure, self.to = self.server.smtp, False, list[str]()
        with suppress(OSError, ssl.SSLError):
            if self.smtp.tls:
                self._secure()
            self.stream = self.request.makefile("rwb")
            self._say("220 localhost ESMTP")
            while line := self.stream.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                verb = verb.upper()
                if self.smtp.refusals.get(verb):
                    self._say(self.smtp.refusals[verb].pop(0))
                elif self._answer(verb, rest) is False:
                    return

    def _secure(self) -> None:
        self.request = self.smtp.context.wrap_socket(self.request, server_side=True)
        self.secure = True

    def _say(self, *lines: str) -> None:
        self.stream.write(b"".join(f"{line}\r\n".encode() for line in lines))
        self.stream.flush()

    def _answer(self, verb: str, rest: str) -> Any:
        match verb:
            case "EHLO":
                more = ["250-AUTH PLAIN"] if self.secure else ["250-STARTTLS"] if self.smtp.offers_starttls else []
                self._say("250-localhost", *more, "250 8BITMIME")
            case "STARTTLS":
                self._say("220 go ahead")
                self._secure()
                self.stream = self.request.makefile("rwb")
            case "AUTH":
                _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                self.smtp.logins.append((user, self.secure))
                good = (user, password) == (USER, PASSWORD)
                self._say("235 welcome" if good else f"535 5.7.8 not you, {user}")
            case "RCPT":
                self.to.append(rest.partition("<")[2].rstrip(">"))
                self._say("250 ok")
            case "DATA":
                self._say("354 go on")
                raw = b"".join(iter(self.stream.readline, b".\r\n"))
                mail = message_from_bytes(raw, policy=policy.default)
                assert isinstance(mail, EmailMessage)
                self.smtp.mails.append(mail)
                self.smtp.recipients.append(self.to)
                self._say("250 taken")
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 ok")


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    smtp: SmtpServer


@contextmanager
def smtp_server(directory: Path, **how: Any) -> Iterator[SmtpServer]:
    """Serve mail at localhost, with a certificate of `root`."""
    issuer, files = Issuer.make(), Files.under(directory / "mail")
    files.write(issuer.pair("localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    root = directory / "root.pem"
    root.write_bytes(issuer.root_pem)
    with _Listener(("localhost", 0), _Session) as listener:
        listener.smtp = SmtpServer(context, root, port=listener.server_address[1], **how)
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield listener.smtp
        listener.shutdown()
