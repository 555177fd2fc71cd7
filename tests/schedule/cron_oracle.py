"""When cron expressions fire, computed the slow and obvious way.

Where the clock of a zone stands is asked of whatever knows it: Python's zoneinfo, or glibc's
localtime in a process whose TZ is that zone. Run as a program it is the second: JSON in, JSON out."""
import datetime
import json
import sys
import time

MINUTE, DAY = 60, 86400
NAMES = {name: i for i, name in enumerate("sun mon tue wed thu fri sat".split())}
MONTHS = {name: i + 1 for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())}


def numbers(text, low, high, names):
    found = set()
    for item in text.split(","):
        body, _, step = item.partition("/")
        first, _, last = body.partition("-")
        value = lambda word: names[word] if word in names else int(word)
        if first == "*":
            start, end = low, high
        else:
            start = value(first)
            end = value(last) if last else (high if step else start)
        found |= set(range(start, end + 1, int(step or 1)))
    return found


class Cron:
    def __init__(self, text):
        minute, hour, day, month, weekday = text.split()
        self.minutes, self.hours = numbers(minute, 0, 59, {}), numbers(hour, 0, 23, {})
        self.days, self.months = numbers(day, 1, 31, {}), numbers(month, 1, 12, MONTHS)
        self.weekdays = {n % 7 for n in numbers(weekday, 0, 7, NAMES)}
        self.either = day[0] != "*" and weekday[0] != "*"
        self.real = hour[0] == "*"

    def day_fits(self, days):
        date = datetime.date(1970, 1, 1) + datetime.timedelta(days)
        day, weekday = date.day in self.days, (date.weekday() + 1) % 7 in self.weekdays
        return date.month in self.months and ((day or weekday) if self.either else (day and weekday))


class Clock:
    """The offset of a zone from start to end, asked of offset_at: every hour, and every minute of an hour in which it
    changed."""

    def __init__(self, offset_at, start, end):
        self.spans = [[start, offset_at(start)]]
        step = 60 * MINUTE
        for at in range(start, end, step):
            if offset_at(at + step) != self.spans[-1][1]:
                for minute in range(at + MINUTE, at + step + 1, MINUTE):
                    if offset_at(minute) != self.spans[-1][1]:
                        self.spans.append([minute, offset_at(minute)])
        self.start, self.end = start, end

    def ranges(self):
        for i, (start, offset) in enumerate(self.spans):
            yield start, self.spans[i + 1][0] if i + 1 < len(self.spans) else self.end, offset


def firings(cron, clock):
    """Every fitting minute of the calendar is looked for on the clock: when does it show that?"""
    fired = set()
    days = range((clock.start - 2 * DAY) // DAY, (clock.end + 2 * DAY) // DAY)
    spans = list(clock.ranges())
    for day in days:
        if not cron.day_fits(day):
            continue
        near = [s for s in spans if s[0] <= day * DAY + 3 * DAY and s[1] >= day * DAY - 2 * DAY]
        for hour in cron.hours:
            for minute in cron.minutes:
                local = day * DAY + hour * 3600 + minute * MINUTE
                shown = [local - offset for start, end, offset in near if start <= local - offset < end]
                if cron.real:
                    fired.update(shown)
                elif shown:
                    fired.add(min(shown))
                else:
                    after = [start for start, end, offset in near if local - offset < start]
                    fired.update(after[:1])
    return sorted(at for at in fired if clock.start < at < clock.end)


def main():
    task = json.load(sys.stdin)
    clock = Clock(lambda t: time.localtime(t).tm_gmtoff, task["start"], task["end"])
    json.dump([firings(Cron(text), clock) for text in task["crons"]], sys.stdout)


if __name__ == "__main__":
    main()
