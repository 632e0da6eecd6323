"""One e-mail by SMTP, over TLS where the settings say so. The only user of smtplib."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

__all__ = ["send_mail"]


def send_mail(
    subject: str,
    body: str,
    *,
    host: str,
    port: int,
    starttls: bool,
    user: str,
    password: str | None,
    sender: str,
    to: tuple[str, ...],
    timeout: float = 15.0,
    trust: ssl.SSLContext | None = None,
) -> str | None:
    """Send it; None when the server took it for everybody, else what went wrong, in a word."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, sender, ", ".join(to)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=sender.partition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers it
    message.set_content(body)
    try:
        with smtplib.SMTP(host, port, timeout=timeout) as server:
            if starttls:
                server.starttls(context=trust or ssl.create_default_context())
            if user:
                server.login(user, password or "")
            refused = server.send_message(message)
    except smtplib.SMTPException as error:
        return type(error).__name__
    except OSError as error:
        return "tls" if isinstance(error, ssl.SSLError) else "unreachable"
    return "refused" if refused else None
