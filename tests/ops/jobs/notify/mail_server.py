"""A mail server in plain sockets (RFC 5321): it keeps what it takes, or refuses as it is told."""

import email
import email.policy
import socketserver
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class MailServer:
    """Where it listens, what it took, and how it answers: by the verb that it refuses."""

    port: int = 0
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    closing: threading.Event = field(default_factory=threading.Event)

    def subjects(self) -> list[str]:
        """Return the subjects in the order in which they came."""
        return [str(mail["Subject"]) for _to, mail in self.mails]


class Server(socketserver.ThreadingTCPServer):
    """Listens, and hands each connection to a handler."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, made: MailServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made = made
        made.port = self.server_address[1]

    def handle_error(self, request, client_address) -> None:
        """Say nothing of a client that hung up."""


class Handler(socketserver.StreamRequestHandler):
    """Speaks with one client."""

    server: Server

    def handle(self) -> None:
        """Answer until it hangs up."""
        if self.server.made.silent:
            self.server.made.closing.wait(20)
            return
        self.say("220 test")
        self.to: list[str] = []
        for raw in self.rfile:
            verb, _, rest = raw.decode().strip().partition(" ")
            self.answer(verb.upper(), rest)

    def answer(self, verb: str, rest: str) -> None:
        """Answer one line."""
        if refusal := self.server.made.refuses.get(verb):
            self.say(refusal)
            return
        if verb == "RCPT":
            self.to.append(rest.partition("<")[2].partition(">")[0])
        elif verb == "DATA":
            self.say("354 go on")
            self.server.made.mails.append((self.to, self.mail()))
        self.say("250 ok")

    def say(self, line: str) -> None:
        """Write one line."""
        self.wfile.write(f"{line}\r\n".encode())

    def mail(self) -> EmailMessage:
        """Read a mail to its end."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)
