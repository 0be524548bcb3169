#!/usr/bin/env python3
"""Writes datetime_cases.inc: what a strict reader makes of dates and times, by Python's
regular expressions and datetime.

Run by hand (python3 make_datetime_cases.py > datetime_cases.inc); the result is checked in.
"""
import random
import re
from datetime import date, datetime, timedelta

rng = random.Random(19700101)
EPOCH = datetime(1970, 1, 1)
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
TIME = re.compile(r"(-?)(\d{2,3}):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?")
STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
                   r"(Z|[+-]\d\d(?::?\d\d)?)?)?")
MICRO = timedelta(microseconds=1)


def read_date(text):
    m = DATE.fullmatch(text)
    try:
        return (date(*map(int, m.groups())) - EPOCH.date()).days if m else None
    except ValueError:
        return None


def read_time(text):
    m = TIME.fullmatch(text)
    if not m:
        return None
    sign, hours, minutes, seconds, fraction = m.groups()
    hours, minutes, seconds = int(hours), int(minutes), int(seconds or 0)
    if hours > 838 or minutes > 59 or seconds > 59:
        return None
    micros = ((hours * 60 + minutes) * 60 + seconds) * 10 ** 6 + int((fraction or "").ljust(6, "0"))
    return -micros if sign else micros


def read_stamp(text):
    m = STAMP.fullmatch(text)
    if not m:
        return None
    year, month, day, hour, minute, second, fraction, zone = m.groups()
    fraction = (fraction or "").ljust(9, "0")
    if fraction[6:] != "000":
        return None
    try:
        local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                         int(fraction[:6]))
        if zone and zone != "Z":
            digits = zone[1:].replace(":", "").ljust(4, "0")
            if int(digits[:2]) > 23 or int(digits[2:]) > 59:
                return None
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            local = local - offset if zone[0] == "+" else local + offset
    except (ValueError, OverflowError):
        return None
    return (local - EPOCH) // MICRO


def emit(kind, text, reader):
    found = reader(text)
    print('%s("%s", %s, INT64_C(%d))' % (kind, text, "true" if found is not None else "false", found or 0))


def spoiled(text):
    at = rng.randrange(len(text) + 1)
    what = rng.randrange(3)
    junk = rng.choice("0123456789-:. TZ+tzx/")
    return text[:at] + junk + text[at:] if what == 0 else text[:at] + text[at + 1:] if what == 1 \
        else text[:at] + junk + text[at + 1:]


def any_date():
    return "%04d-%02d-%02d" % (rng.choice((1, 4, 100, 400, 1582, 1600, 1900, 1970, 2000, 2024, 2100, 9999,
                                           rng.randint(0, 9999))), rng.randint(0, 13), rng.randint(0, 32))


def any_time(hours=24):
    text = "%02d:%02d" % (rng.randint(0, hours), rng.randint(0, 60))
    if rng.random() < 0.8:
        text += ":%02d" % rng.randint(0, 60)
        if rng.random() < 0.5:
            text += "." + "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 7)))
    return text


def any_stamp():
    text = any_date() + rng.choice(" T") + any_time()
    return text + rng.choice(("", "", "Z", "+02", "-0330", "+05:45", "-23:59", "+24:00", "+00:60", "+1", "-00:00"))


print("/* Made by make_datetime_cases.py; do not edit. */")
for text in ("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0001-01-01", "0000-12-31", "9999-12-31",
             "10000-01-01", "", "2024-2-9", " 2024-02-09", "2024-02-09 ", "-024-02-09", "2024/02/09", "20240209"):
    emit("DATE", text, read_date)
for text in ("00:00", "23:59:59", "24:00:00", "838:59:59", "-838:59:59", "839:00:00", "838:59:59.999999", "-00:00:00",
             "12:60", "12:30:60", "1:30", "0001:30", "12:30:", "12:30:15.", "12:30:15.1234567", "-12:30:15.5", "+12:30",
             "12", "", "-", "12:3", "12:30:1"):
    emit("TIME", text, read_time)
for text in ("2024-02-29 12:30:45.123456", "2024-02-29T12:30:45Z", "2024-02-29t12:30:45Z", "2024-02-29 12:30:45z",
             "2016-12-31 23:59:60", "0001-01-01 00:00:00+00:01", "0001-01-01 00:00:00-00:01", "9999-12-31 23:59:59.999999",
             "9999-12-31 23:59:59-00:01", "9999-12-31 23:59:59+00:01", "2024-02-29 12:30:45.123456000",
             "2024-02-29 12:30:45.123456001", "2024-02-29 12:30:45.1234560000", "2024-02-29 12", "2024-02-29 ",
             "2024-02-29Z", "2024-02-29 12:30 Z", "2024-02-29 12:30+", "2024-02-29 12:30+0", "2024-02-29 12:30+01:",
             "2024-02-29 12:30+01:3", "2024-02-29 12:30+013", "2024-02-29 12:30Z+01", "2024-02-29  12:30",
             "1969-12-31 23:59:59.999999", "1970-01-01", "2024-02-30 00:00:00", "2024-02-29 24:00:00"):
    emit("STAMP", text, read_stamp)
for _ in range(120):
    text = any_date()
    emit("DATE", text if rng.random() < 0.8 else spoiled(text), read_date)
for _ in range(120):
    text = rng.choice(("", "", "-")) + any_time(rng.choice((24, 150, 900)))
    emit("TIME", text if rng.random() < 0.8 else spoiled(text), read_time)
for _ in range(400):
    year, day = rng.randint(1, 9999), rng.randint(0, 364)
    moment = datetime(year, 1, 1) + timedelta(days=day, seconds=rng.randrange(86400), microseconds=rng.randrange(10 ** 6))
    text = moment.isoformat(sep=rng.choice(" T")) + rng.choice(("", "Z", "+02", "-0330", "+05:45", "-11:00"))
    text = any_stamp() if rng.random() < 0.4 else text
    emit("STAMP", text if rng.random() < 0.6 else spoiled(text), read_stamp)
