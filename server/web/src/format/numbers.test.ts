import { describe, expect, it } from "vitest";

import { bytes, fullNumber, shortNumber, wholeNumber } from "./numbers";

describe("shortNumber", () => {
  it.each([
    [0, "0"],
    [0.123456, "0.1235"],
    [-0.5, "-0.5"],
    [1234, "1,234"],
    [1234.5678, "1,235"],
    [123456.7, "123,457"],
    [12345678.9, "12,345,679"],
    [10_000_000, "10,000,000"],
    [-123_500_000_001, "-123,500,000,001"],
    [Number.MAX_SAFE_INTEGER, "9,007,199,254,740,991"],
    [2 ** 53, "9.007e15"],
    [0.00001234, "1.234e-5"],
    [3e300, "3e300"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NEGATIVE_INFINITY, "-∞"],
  ])("shows %d as %s", (value, text) => expect(shortNumber(value)).toBe(text));

  it.each([
    [123_456_789_012, 13.5, "123,456,789,012"],
    [123_456_789_012, 13, "1.235e11"],
    [1_234_567, 4, "1,234,567"],
    [12_345_678.9, 8, "1.235e7"],
  ])("shows %d where %d digits have room as %s", (value, room, text) => expect(shortNumber(value, 4, room)).toBe(text));
});

it("keeps all digits where they are wanted", () => {
  expect(fullNumber(0.1 + 0.2)).toBe("0.30000000000000004");
  expect(wholeNumber(9007199254740993n)).toBe("9,007,199,254,740,993");
});

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [5 * 1024 ** 4, "5.0 TiB"],
])("shows %d bytes as %s", (count, text) => expect(bytes(count)).toBe(text));
