"""The decision tree of a runbook, read from its file."""
import unittest

from lab import Lab

STEPS = '''runbook "demo/steps" { title = { zh = "步骤", en = "steps" }, severity = "P3", when = "ready" }
finding "ready" { title = { zh = "可以开始", en = "it can begin" } }
finding "odd" { title = { zh = "运行中才知道", en = "only \\"seen\\" <later>" }, advice = { zh = "看日志", en = "see the log" } }
-- found("odd") in a comment is no finding
local function judge(p) if file.stat("/") then found "ready" end end
check "look" { title = { zh = "看", en = "look" }, run = function(p) judge(p) end }
step "first" { title = { zh = "第一步", en = "first" }, risk = "low", run = function(p) file.write("/nowhere/x", "y") end }
step "second" { title = { zh = "第二步", en = "second" }, when = "ready", by_hand = { zh = "动手", en = "do it" } }
'''


class Graph(Lab):
    def edges(self, id):
        graph = self.json("show", id, "--graph")
        self.assertEqual("runbook.graph/1", graph["schema"])
        names = {node["id"] for node in graph["nodes"]} | {"runbook"}
        self.assertEqual(set(), {end for e in graph["edges"] for end in (e["from"], e["to"])} - names)
        return {(e["from"], e["to"], e.get("if")) for e in graph["edges"]}

    def test_causes_hang_below_what_they_explain(self):
        edges = self.edges("db-locked")
        for edge in (("runbook", "check:lock", None), ("check:lock", "finding:locked", None),
                     ("finding:locked", "check:holders", None), ("check:holders", "finding:process", None),
                     ("finding:process", "fix:stop-process", None), ("finding:wal-big", "finding:reader", "cause"),
                     ("check:content", "finding:corrupt", None)):
            self.assertIn(edge, edges)
        self.assertNotIn(("check:wal", "finding:reader", None), edges)

    def test_steps_follow_one_another(self):
        self.book("demo/steps", STEPS)
        edges = self.edges("demo/steps")
        for edge in (("check:look", "finding:ready", None), ("finding:ready", "step:first", None),
                     ("step:first", "step:second", "ready"), ("runbook", "finding:odd", "running")):
            self.assertIn(edge, edges)

    def test_text(self):
        text = self.run_it("show", "db-locked", "--graph", "--lang", "zh", code=0).out
        for line in ("|- 检查 lock  有没有锁", "|  `- 发现 locked  P1  数据库写不进去（… 锁，… 模式）",
                     "|     `- 检查 holders  谁占着锁", "（见上）"):
            self.assertIn(line, text)

    def test_mermaid_keeps_its_own_marks(self):
        self.book("demo/steps", STEPS)
        text = self.run_it("show", "demo/steps", "--graph", "-o", "mermaid", code=0).out
        self.assertTrue(text.startswith("flowchart TD\n"))
        self.assertIn('finding_odd{{"odd  P3<br/>only #34;seen#34; #60;later#62;"}}', text)
        self.assertIn('step_first -->|"ready"| step_second', text)

    def test_what_it_is_not_for(self):
        self.assertIn("--graph", self.run_it("show", "db-locked", "-o", "mermaid", code=2).err)
        self.assertIn("not a run", self.run_it("show", "r-1234", "--graph", code=2).err)


if __name__ == "__main__":
    unittest.main()
