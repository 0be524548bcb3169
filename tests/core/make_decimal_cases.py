#!/usr/bin/env python3
"""Writes decimal_cases.inc: results of exact decimal arithmetic by Python's fractions.

Run by hand (python3 make_decimal_cases.py > decimal_cases.inc) when a case is added; the
result is checked in, so that building needs no Python. Rounding is done here on whole
fractions, independently of how decimal.c does it.
"""
import random
from fractions import Fraction

DIGITS = 1000
rng = random.Random(20240229)
MODES = ["HALF_UP", "HALF_EVEN", "DOWN", "UP", "FLOOR", "CEILING"]


def value(text):
    return Fraction(text)


def scale_of(text):
    return len(text.partition(".")[2])


def rounded(x, scale, mode):
    """x * 10^scale as a whole number."""
    x = x * 10 ** scale
    low = x.numerator // x.denominator  # towards minus infinity
    rest = x - low
    if rest == 0:
        return low
    if mode == "FLOOR":
        return low
    if mode == "CEILING":
        return low + 1
    if mode == "DOWN":
        return low if x > 0 else low + 1
    if mode == "UP":
        return low + 1 if x > 0 else low
    half = Fraction(1, 2)
    if rest != half:
        return low + (rest > half)
    if mode == "HALF_UP":
        return low + 1 if x > 0 else low
    return low if low % 2 == 0 else low + 1


def text_of(n, scale):
    sign = "-" if n < 0 else ""
    digits = str(abs(n)).rjust(scale + 1, "0")
    return sign + (digits[:-scale] + "." + digits[-scale:] if scale else digits)


def result(x, scale, mode="DOWN"):
    n = rounded(x, scale, mode)
    return text_of(n, scale) if len(str(abs(n))) <= DIGITS and scale <= 1000 else None


def number(whole, fraction):
    n = rng.randrange(10 ** rng.randint(0, whole + fraction))
    return text_of(rng.choice((1, -1)) * n, fraction)


def emit(kind, *fields):
    print("%s(%s)" % (kind, ", ".join(fields)))


def quote(text):
    return "NULL" if text is None else '"%s"' % text


def arithmetic(a, b):
    x, y = value(a), value(b)
    scale = max(scale_of(a), scale_of(b))
    emit("SUM", quote(a), quote(b), quote(result(x + y, scale)), quote(result(x - y, scale)))
    emit("PRODUCT", quote(a), quote(b), quote(result(x * y, scale_of(a) + scale_of(b))))
    emit("ORDER", quote(a), quote(b), str((x > y) - (x < y)))


def quotient(a, b, scale, mode):
    emit("QUOTIENT", quote(a), quote(b), str(scale), mode, quote(result(value(a) / value(b), scale, mode)))


def rounding(a, scale, mode):
    emit("ROUNDED", quote(a), str(scale), mode, quote(result(value(a), scale, mode)))


print("/* Made by make_decimal_cases.py; do not edit. */")
for _ in range(60):
    arithmetic(number(rng.randint(0, 20), rng.randint(0, 8)), number(rng.randint(0, 20), rng.randint(0, 8)))
for _ in range(12):
    arithmetic(number(rng.randint(40, 90), rng.randint(0, 60)), number(rng.randint(10, 60), rng.randint(0, 60)))
for whole, fraction in ((400, 90), (120, 300), (499, 0)):
    arithmetic(number(whole, fraction), number(whole, fraction))
arithmetic("9" * 1000, "1")
arithmetic("9" * 1000, "-1")
arithmetic("9" * 1000, "-" + "8" * 1000)
arithmetic("7" * 520, "0." + "3" * 480)
arithmetic("18446744073709551615", "1")
arithmetic("-18446744073709551616", "18446744073709551616.0")
arithmetic("0.00", "0")
arithmetic("0." + "0" * 999 + "1", "0." + "0" * 999 + "2")
for mode in MODES:
    for a in ("2.5", "-2.5", "3.5", "-3.5", "2.4999999999999999999999", "-2.5000000000000000000001", "0.5", "-0.5",
              "0.05", "-0.0001", "9.99", "-99999999999999999999.5", "18446744073709551615.5", "0.0", "7"):
        rounding(a, 0, mode)
    rounding("1.005", 2, mode)
    rounding("-1.015", 2, mode)
    rounding("12.3", 5, mode)
    for a, b, scale in (("1", "3", 10), ("-2", "3", 10), ("1", "8", 2), ("-1", "8", 2), ("3", "8", 2), ("10", "4", 0),
                        ("1", "200", 2), ("-3", "200", 2), ("0", "-7", 3), ("22", "7", 60)):
        quotient(a, b, scale, mode)
    for _ in range(8):
        b = number(rng.randint(1, 30), rng.randint(0, 9))
        if value(b) == 0:
            b = "-0.7"
        quotient(number(rng.randint(0, 60), rng.randint(0, 30)), b, rng.randint(0, 40), mode)
    # Ties of a quotient: (2k + 1) / 2 of the last place.
    k, b, scale = rng.randrange(10 ** 12), rng.randrange(1, 10 ** 20), rng.randint(0, 12)
    quotient(text_of((2 * k + 1) * b, 0), text_of(2 * b * 10 ** scale, 0), scale, mode)
    quotient(text_of(-(2 * k + 1) * b, 0), text_of(2 * b * 10 ** scale, 0), scale, mode)
quotient(number(900, 80), number(450, 30), 100, "HALF_EVEN")
quotient(number(300, 600), number(1, 800), 2, "HALF_UP")
quotient("1", "3", 999, "HALF_UP")
quotient("1", "0." + "0" * 998 + "3", 1000, "HALF_UP")
quotient("0." + "0" * 999 + "1", "9" * 1000, 1000, "UP")
quotient("9" * 1000, "0." + "0" * 999 + "1", 0, "HALF_UP")
quotient("9" * 1000, "0." + "0" * 999 + "1", 1000, "HALF_UP")
quotient("0." + "7" * 1000, "3" * 1000, 0, "UP")
quotient("0." + "7" * 1000, "3" * 500, 500, "HALF_EVEN")
for _ in range(80):
    a = number(rng.randint(0, 40), rng.randint(0, 40))
    emit("DOUBLE", quote(a), float(value(a)).hex())
for a in ("9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000000001", "0.1",
          "-179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540"
          "458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133"
          "942304583236903222948165808559332123347747973680",
          "0." + "0" * 323 + "494065645841246544176568792868", "0." + "0" * 400 + "1",
          "0." + "0" * 323 + "24703282292062327208299", "0." + "0" * 323 + "247032822920623273"):
    emit("DOUBLE", quote(a), float(value(a)).hex())
