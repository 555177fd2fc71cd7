"""Ten years of firings in many zones against two oracles: Python's zoneinfo, and glibc in a process of its own.

$RUNBOOK_FULL compares every expression in every zone (script/torture); the normal run one or two in each, in turn."""
import calendar
import json
import os
import subprocess
import sys
import unittest
import zoneinfo
from datetime import datetime, timezone

import cron_oracle
from cron_oracle import Clock, Cron, firings

RUNBOOK = os.environ.get("RUNBOOK", "")
ZONES = """UTC America/New_York America/St_Johns America/Havana America/Santiago America/Asuncion America/Nuuk
America/Scoresbysund America/Sao_Paulo Atlantic/Azores Europe/London Europe/Dublin Europe/Berlin Africa/Casablanca
Africa/Cairo Asia/Beirut Asia/Gaza Asia/Jerusalem Asia/Tehran Asia/Shanghai Asia/Kathmandu Asia/Kolkata
Australia/Lord_Howe Australia/Sydney Australia/Adelaide Pacific/Chatham Pacific/Auckland Pacific/Apia Pacific/Easter
Antarctica/Troll Antarctica/Casey""".split()
CRONS = ["0 0 * * *", "30 2 * * *", "5,35 0-3 * * *", "17 * 1-7,25-31 3,4,9-11 *", "45 1 * * sun", "0 3 13 * fri", "0 12 29 2 *",
         "*/20 1-2 1-7,25-31 3,4,9-11 *"]
# One decade around now by the tables of the files, one after their end by the rule in their last line.
DECADES = [(2020, 2030), (2036, 2046)]


def instant(text):
    return calendar.timegm(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").timetuple())


def ours(zone, cron, start, end, count=100000):
    at = datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    done = subprocess.run([RUNBOOK, "schedule", "next", cron, "--from", at, "--tz", zone, "--count", str(count), "-o",
                           "json"], capture_output=True, timeout=600, check=True)
    return [t for t in map(instant, json.loads(done.stdout)["next"]) if t < end]


def by_zoneinfo(zone, start, end):
    info = zoneinfo.ZoneInfo(zone)
    return Clock(lambda t: int(datetime.fromtimestamp(t, info).utcoffset().total_seconds()), start, end)


def by_glibc(zone, crons, start, end):
    task = json.dumps({"start": start, "end": end, "crons": crons})
    done = subprocess.run([sys.executable, cron_oracle.__file__], input=task.encode(), capture_output=True, timeout=600,
                          env={**os.environ, "TZ": zone}, check=True)
    return json.loads(done.stdout)


class Decade(unittest.TestCase):
    maxDiff = 2000

    def compare(self, zone, years, crons=CRONS):
        start, end = (calendar.timegm((year, 1, 1, 0, 0, 0)) for year in years)
        clock = by_zoneinfo(zone, start, end)
        other = by_glibc(zone, crons, start, end)
        for cron, glibc in zip(crons, other):
            mine = ours(zone, cron, start, end)
            with self.subTest(zone=zone, cron=cron, years=years):
                self.assertEqual(firings(Cron(cron), clock), mine, "zoneinfo")
                self.assertEqual(glibc, mine, "glibc")
        return clock

    def share(self, crons, turn):
        return crons if os.environ.get("RUNBOOK_FULL") else [crons[turn % len(crons)]]

    def test_the_tables_of_the_files(self):
        changes = 0
        for turn, zone in enumerate(ZONES):
            changes += len(self.compare(zone, DECADES[0], self.share(CRONS, turn)).spans) - 1
        self.assertGreater(changes, 300, "these zones should have changed their clocks more often")

    def test_the_rules_after_the_tables(self):
        for turn, zone in enumerate(ZONES):
            if turn % 4 == 0 or os.environ.get("RUNBOOK_FULL"):
                self.compare(zone, DECADES[1], self.share(CRONS[1:4], turn))

    def test_oddities_of_the_past(self):
        for turn, (zone, years) in enumerate((("Pacific/Apia", (2009, 2013)), ("Pacific/Kwajalein", (1992, 1995)),
                            ("Asia/Pyongyang", (2014, 2019)), ("America/Caracas", (2006, 2017)),
                            ("Europe/Istanbul", (2010, 2018)), ("Antarctica/Troll", (2004, 2008)))):
            self.compare(zone, years, self.share(CRONS[:4], turn))

    def test_the_comparison_can_fail(self):
        start, end = calendar.timegm((2026, 1, 1, 0, 0, 0)), calendar.timegm((2026, 12, 31, 0, 0, 0))
        self.assertNotEqual(firings(Cron("30 2 * * *"), by_zoneinfo("Europe/Berlin", start, end)),
                            ours("Europe/Paris", "30 3 * * *", start, end))


if __name__ == "__main__":
    unittest.main()
