"""jwt: what a token says, and why it may be refused."""
import base64
import json
import unittest

from lab import Lab

BOOK = '''runbook "demo/token" { title = "token", severity = "P2" }
check "look" { title = "look", run = function(p)
%s
end }
'''


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(header, payload, signature=b"signature"):
    return ".".join((part(header), part(payload), part(signature)))


class Jwt(Lab):
    def look(self, body):
        self.book("demo/token", BOOK % body)
        check = json.loads(self.run_it("exec", "demo/token", "--diagnose", "-o", "json").out)["checks"][0]
        self.assertEqual("ok", check["result"], json.dumps(check, ensure_ascii=False))

    def test_decode(self):
        good = token({"alg": "HS256", "typ": "JWT"}, {"sub": "用户 1", "exp": 1760000000, "n": 9007199254740993})
        self.look(f'''
  local t = jwt.decode("Bearer {good}")
  assert(t.header.alg == "HS256" and t.payload.sub == "用户 1" and t.payload.n == 9007199254740993 and t.signed)''')

    def test_malformed(self):
        header, payload = part({"alg": "HS256"}), part({})
        for bad, why in (("", "three parts"), ("a.b", "three parts"), ("a.b.c.d", "three parts"), (f"{header}.{payload}.=", "base64url"),
                         (f"{header}.{part([1])}.", "payload"), (f"{part(b'no json')}.{payload}.", "header"), (f"{header}.a.", "payload"),
                         (f"{header}.{part(b'null')}.", "payload")):
            self.look(f'''
  local t, why = jwt.decode("{bad}")
  assert(t == nil and why:find("{why}", 1, true), why)
  assert(jwt.inspect("{bad}", {{ now = 0 }}).problems[1] == "malformed")''')
        self.look('''
  local t, why = jwt.decode(("x"):rep(70000))
  assert(t == nil and why:find("longer", 1, true))''')

    def test_problems(self):
        rows = (
            ({"alg": "HS256"}, {"exp": 2000}, b"s", {"now": 1000, "alg": "HS256"}, []),
            ({"alg": "HS256"}, {"exp": 2000}, b"s", {"now": 2100}, []),
            ({"alg": "HS256"}, {"exp": 2000}, b"s", {"now": 2121}, ["expired"]),
            ({"alg": "none"}, {"exp": 2000}, b"", {"now": 1000, "alg": "HS256"}, ["alg_none", "alg_unexpected", "unsigned"]),
            ({"alg": "RS256"}, {}, b"s", {"now": 1000, "alg": "HS256"}, ["alg_unexpected", "no_expiry"]),
            ({"alg": "HS256"}, {"exp": 9000, "nbf": 5000, "iat": 5000}, b"s", {"now": 1000}, ["not_yet_valid", "issued_in_future"]),
            ({"alg": "HS256"}, {"exp": 9000, "iss": "a", "aud": ["x", "y"]}, b"s", {"now": 1, "issuer": "b", "audience": "y"}, ["issuer_unexpected"]),
            ({"alg": "HS256"}, {"exp": 9000, "aud": "x"}, b"s", {"now": 1, "audience": "y"}, ["audience_unexpected"]),
            ({"alg": "HS256"}, {"exp": "soon"}, b"s", {"now": 1}, ["no_expiry"]),
        )
        lines = []
        for header, payload, signature, options, problems in rows:
            table = ", ".join(f"{k} = {json.dumps(v)}" for k, v in options.items())
            lines.append(f'''  do
    local i = jwt.inspect("{token(header, payload, signature)}", {{ {table} }})
    assert(table.concat(i.problems, " ") == "{' '.join(problems)}", json.encode(i))
  end''')
        self.look("\n".join(lines))


if __name__ == "__main__":
    unittest.main()
