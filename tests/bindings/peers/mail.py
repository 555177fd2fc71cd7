"""A real SMTP server: argument plain, starttls or tls; AUTH as "ops" with "s3cret pass". Prints every mail as it came,
one JSON object a line. Its certificate is made in
the folder given."""
import email
import email.policy
import json
import os
import ssl
import subprocess
import sys
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

warnings.simplefilter("ignore")  # AUTH without TLS is what one test wants
mode, folder = sys.argv[1:3]
key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, f"cert-{os.getpid()}.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True,
               capture_output=True)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(cert, key)
os.unlink(key)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later"):
            return "451 try again later"
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {p.get_content_type(): p.get_content() for p in mail.walk() if not p.is_multipart()}
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "headers": [[k, str(v)] for k, v in mail.items()],
                          "parts": parts, "raw": envelope.content.decode("ascii", "backslashreplace"),
                          "tls": server.transport.get_extra_info("ssl_object") is not None, "auth": session.authenticated}), flush=True)
        return "250 queued"


def auth(server, session, envelope, mechanism, data):
    good = data.login == b"ops" and data.password == b"s3cret pass"
    return AuthResult(success=good, handled=False)


controller = Controller(Handler(), hostname="127.0.0.1", port=0, ssl_context=tls if mode == "tls" else None,
                        tls_context=tls if mode == "starttls" else None, require_starttls=mode == "starttls",
                        authenticator=auth, auth_required=True, auth_require_tls=mode == "starttls")
try:
    controller.start()
except Exception:  # port 0: its own check connects to port 0
    pass
port = controller.server.sockets[0].getsockname()[1]
print(json.dumps({"port": port, "ca": cert}), flush=True)
sys.stdin.read()
