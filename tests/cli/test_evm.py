"""evm and rpc as runbooks use them, on a real node (anvil) with a contract that can be paused."""
import json
import os
import subprocess
import time
import unittest
import urllib.request

from lab import SOURCE, Lab

BOOK = '''runbook "demo/chain" { title = "chain", severity = "P2" }
check "look" { title = "look", run = function(p)
local node, contract, owner, other = "%s", "%s", "%s", "%s"
%s
end }
'''

SELECTORS = {"paused": "5c975abb", "owner": "8da5cb5b", "pause": "8456cb59", "unpause": "3f4ba83a"}


def assemble():
    """Storage 0: paused, 1: owner. Anything else reverts with Error("nope")."""
    head, bodies = bytes.fromhex("60003560e01c"), {
        "paused": "5b60005460005260206000f3", "owner": "5b60015460005260206000f3",
        "pause": "5b600160005500", "unpause": "5b600060005500"}
    revert = bytes.fromhex("6308c379a060e01b600052" "6020600452" "6004602452" "636e6f706560e01b604452" "60646000fd")
    at = len(head) + 10 * len(SELECTORS) + len(revert)
    table, code = b"", b""
    for name, selector in SELECTORS.items():
        table += bytes.fromhex("8063" + selector + "1460") + bytes([at + len(code)]) + b"\x57"
        code += bytes.fromhex(bodies[name])
    runtime = head + table + revert + code
    init = bytes.fromhex("33600155") + b"\x60" + bytes([len(runtime)]) + b"\x60\x10\x60\x00\x39\x60" + bytes([len(runtime)]) + b"\x60\x00\xf3"
    assert len(init) == 16
    return "0x" + (init + runtime).hex()


class Node:
    def __init__(self, *options):
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.join(SOURCE, "tests/bindings/peers/anvil.py"), *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            reply = json.load(answer)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["result"]

    def mined(self, sent):
        until = time.monotonic() + 20
        while True:
            receipt = self.call("eth_getTransactionReceipt", sent)
            if receipt or time.monotonic() > until:
                return receipt
            time.sleep(0.02)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Evm(Lab):
    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        cls.owner, cls.other = cls.node.call("eth_accounts")[:2]
        sent = cls.node.call("eth_sendTransaction", {"from": cls.owner, "data": assemble(), "gas": "0x100000"})
        receipt = cls.node.mined(sent)
        assert receipt["status"] == "0x1", receipt
        cls.contract = receipt["contractAddress"]

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()

    def look(self, body, node=None):
        self.book("demo/chain", BOOK % ((node or self.node).url, self.contract, self.owner, self.other, body))
        done = self.run_it("exec", "demo/chain", "--diagnose", "-o", "json", env={"no_proxy": "*"})
        check = json.loads(done.out)["checks"][0]
        self.assertEqual("ok", check["result"], json.dumps(check, ensure_ascii=False))

    def test_numbers_are_exact(self):
        self.look('''
  assert(evm.int("0x2105") == 8453 and evm.int("0x0") == 0 and evm.int("0x7fffffffffffffff") == math.maxinteger)
  assert(evm.wei("0xde0b6b3a7640000") == "1000000000000000000")
  assert(evm.wei("0x" .. ("f"):rep(64)) == "115792089237316195423570985008687907853269984665640564039457584007913129639935")
  assert(evm.wei("0x0") == "0" and evm.ether("1500000000000000000") == "1.5" and evm.ether("1") == "0.000000000000000001")
  assert(evm.ether("25000000000", 9) == "25")
  assert(evm.compare("9", "10") == -1 and evm.compare("010", "10") == 0 and evm.compare("2", "1") == 1)''')

    def test_node(self):
        self.look('''
  local s = evm.status(node)
  assert(s.chain_id == 8453 and s.height >= 1 and s.syncing == false and s.age >= 0 and s.age < 600, json.encode(s))
  assert(evm.balance(node, other) == "10000000000000000000000")
  local n = evm.nonces(node, owner)
  assert(n.latest == n.pending and n.waiting == 0 and n.latest >= 1)
  assert(rpc(node):ask("eth_chainId") == "0x2105")
  local list = rpc(node, { timeout = "5s" }):batch { { "eth_chainId" }, { "eth_getBalance", other, "latest" }, { "eth_call", { to = contract, data = "0x00000000" }, "latest" } }
  assert(list[1].value == "0x2105" and list[2].ok and not list[3].ok and evm.reason(list[3].error) == "nope", json.encode(list))''')

    def test_contract_and_pause(self):
        self.look('''
  local c = evm.contract(node, contract)
  assert(c.code and c.owner == owner:lower() and c.treasury == nil and c.paused == false and not c.owner_is_contract, json.encode(c))
  assert(evm.paused(node, contract) == false)
  local empty, why = evm.paused(node, other)
  assert(empty == nil and why == "no code")
  local value, err = try(evm.call, node, contract, "0x00000000")
  assert(value == nil and err.code == "rpc" and evm.reason(err.data) == "nope", json.encode { err.code, err.message })''')
        sent = self.node.call("eth_sendTransaction", {"from": self.owner, "to": self.contract, "data": "0x" + SELECTORS["pause"]})
        self.node.mined(sent)
        self.look(f'''
  assert(evm.paused(node, contract) == true)
  local r = evm.receipt(node, "{sent}")
  assert(r.state == "success" and r.confirmations >= 1 and r.gas_used > 0, json.encode(r))
  assert(evm.receipt(node, "0x" .. ("1"):rep(64)) == nil)
  assert(#evm.logs(node, {{ address = contract, from = 0 }}) == 0)''')
        self.node.mined(self.node.call("eth_sendTransaction", {"from": self.owner, "to": self.contract, "data": "0x" + SELECTORS["unpause"]}))

    def test_nodes_of_two_minds(self):
        second, other_chain = Node(), Node("--chain-id", "1")
        try:
            for _ in range(15):
                second.call("evm_mine")
            self.look(f'''
  local a = evm.agree {{ node, "{second.url}" }}
  assert(not a.agree and a.why == "lag" and a.nodes[1].lag > 10 and a.nodes[2].lag == 0, json.encode(a))
  assert(evm.agree({{ node, "{second.url}" }}, {{ lag = 50 }}).agree)
  local b = evm.agree({{ node, "{other_chain.url}" }}, {{ lag = 50 }})
  assert(not b.agree and b.why == "chain_id", json.encode(b))
  local c = evm.agree {{ node, "http://127.0.0.1:1/" }}
  assert(c.why == "unreachable" and c.nodes[2].code == "refused" and c.nodes[1].ok, json.encode(c))''')
        finally:
            second.stop()
            other_chain.stop()

    def test_a_check_may_not_send(self):
        self.book("demo/chain", BOOK % (self.node.url, self.contract, self.owner, self.other,
                                        'rpc(node):call("eth_sendTransaction", { from = owner, to = other, value = "0x1" })'))
        done = self.run_it("exec", "demo/chain", "--diagnose", "-o", "json")
        self.assertEqual("refused", json.loads(done.out)["checks"][0]["result"])
        self.book("demo/chain", BOOK % (self.node.url, self.contract, self.owner, self.other,
                                        'rpc(node):ask("eth_sendTransaction", { from = owner, to = other, value = "0x1" })'))
        done = self.run_it("exec", "demo/chain", "--diagnose", "-o", "json")
        self.assertEqual("refused", json.loads(done.out)["checks"][0]["result"])


if __name__ == "__main__":
    unittest.main()
