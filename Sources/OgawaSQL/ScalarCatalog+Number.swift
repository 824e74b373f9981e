// Functions of numbers and dates.

extension ScalarCatalog {
    private typealias Example = FunctionDocumentation.Example

    static let math: [ScalarFunction] = [
        ScalarFunction(
            .math, 1...1, nil,
            FunctionDocumentation(
                "ABS(number)", "The number without its sign, in its own type.",
                [Example("ABS(-3)", "3"), Example("ABS(-3.5)", "3.5")])),
        ScalarFunction(
            .math, 1...1, nil,
            FunctionDocumentation(
                "CEILING(number)", "The least whole number that is not less, in the argument's type.",
                [Example("CEILING(1.2)", "2.0"), Example("CEILING(-1.2)", "-1.0"), Example("CEILING(7)", "7")])),
        ScalarFunction(
            .math, 1...1, .float,
            FunctionDocumentation(
                "EXP(number)", "e to the power of the number, a float.",
                [Example("EXP(0)", "1.0"), Example("EXP(1000)", "null")])),
        ScalarFunction(
            .math, 1...1, nil,
            FunctionDocumentation(
                "FLOOR(number)", "The greatest whole number that is not greater, in the argument's type.",
                [Example("FLOOR(1.8)", "1.0"), Example("FLOOR(-1.2)", "-2.0")])),
        ScalarFunction(
            .math, 2...2, nil,
            FunctionDocumentation(
                "POWER(base, exponent)",
                "The base to the power of the exponent, in the base's type: a fraction of a bigint is cut.",
                [
                    Example("POWER(2, 10)", "1024"), Example("POWER(2.0, 0.5)", "1.4142135623730951"),
                    Example("POWER(2, -1)", "0"),
                ])),
        ScalarFunction(
            .math, 2...2, nil,
            FunctionDocumentation(
                "ROUND(number, digits)",
                "The number rounded to that many digits behind the point, halves away from zero, in its own type; with negative digits to the left of the point.",
                [
                    Example("ROUND(1.234, 2)", "1.23"), Example("ROUND(-0.5, 0)", "-1.0"),
                    Example("ROUND(123.4, -1)", "120.0"),
                    Example("ROUND(123.4, -10)", "0.0"), Example("ROUND(150, -2)", "200"),
                ])),
        ScalarFunction(
            .math, 1...1, nil,
            FunctionDocumentation(
                "SIGN(number)", "1, 0 or -1 in the argument's type.",
                [Example("SIGN(-9)", "-1"), Example("SIGN(2.5)", "1.0")])),
        ScalarFunction(
            .math, 1...1, .float,
            FunctionDocumentation(
                "SQRT(number)", "The square root, a float.", [Example("SQRT(16)", "4.0"), Example("SQRT(-1)", "null")])),
        ScalarFunction(
            .math, 1...1, .float,
            FunctionDocumentation("SQUARE(number)", "The square, a float.", [Example("SQUARE(3)", "9.0")])),
    ]

    static let date: [ScalarFunction] = [
        ScalarFunction(
            .date, 3...3, .datetime,
            FunctionDocumentation(
                "DATEADD(part, number, date)",
                "The date that many parts later, a datetime; a fraction of the number is cut. A month that is too short ends with its last day. A result outside the years 0001 to 9999 fails.",
                [
                    Example("DATEADD(minute, -5, '2025-03-01T08:00:00Z')", "\"2025-03-01T07:55:00.0000000Z\""),
                    Example("DATEADD(month, 1, '2025-01-31')", "\"2025-02-28T00:00:00.0000000Z\""),
                    Example("DATEADD(second, 1.9, '2025-01-01')", "\"2025-01-01T00:00:01.0000000Z\""),
                    Example(
                        "DATEADD(millisecond, 1740816000000, '1970-01-01T00:00:00Z')",
                        "\"2025-03-01T08:00:00.0000000Z\""),
                ]), takesDatePart: true),
        ScalarFunction(
            .date, 3...3, .bigint,
            FunctionDocumentation(
                "DATEDIFF(part, start, end)",
                "How many boundaries of the part lie between start and end, negative where end is earlier. This is not the time that passed.",
                [
                    Example("DATEDIFF(year, '2024-12-31T23:59:59Z', '2025-01-01T00:00:00Z')", "1"),
                    Example("DATEDIFF(minute, '2025-03-01T08:01:00Z', '2025-03-01T08:01:59Z')", "0"),
                    Example("DATEDIFF(second, '2025-03-01T08:01:59Z', '2025-03-01T08:00:59Z')", "-60"),
                ]), takesDatePart: true),
        ScalarFunction(
            .date, 2...2, .text,
            FunctionDocumentation(
                "DATENAME(part, date)",
                "The part as text: months and weekdays by their English names, others as digits.",
                [
                    Example("DATENAME(month, '2025-03-01')", "\"March\""),
                    Example("DATENAME(weekday, '2025-03-01')", "\"Saturday\""),
                    Example("DATENAME(year, '2025-03-01')", "\"2025\""),
                ]), takesDatePart: true),
        ScalarFunction(
            .date, 2...2, .bigint,
            FunctionDocumentation(
                "DATEPART(part, date)",
                "The part as a number; milliseconds and microseconds count from the beginning of the second.",
                [
                    Example("DATEPART(hour, '2025-03-01T08:30:00+01:00')", "7"),
                    Example("DATEPART(weekday, '2025-03-01')", "7"),
                    Example("DATEPART(dayofyear, '2024-12-31')", "366"),
                    Example("DATEPART(microsecond, '2025-03-01T08:00:00.1234567Z')", "123456"),
                ]), takesDatePart: true),
        ScalarFunction(
            .date, 7...7, .datetime,
            FunctionDocumentation(
                "DATETIMEFROMPARTS(year, month, day, hour, minute, second, millisecond)",
                "The datetime of these numbers; one out of range fails.",
                [Example("DATETIMEFROMPARTS(2025, 3, 1, 8, 30, 0, 250)", "\"2025-03-01T08:30:00.2500000Z\"")])),
        ScalarFunction(
            .date, 1...1, .bigint,
            FunctionDocumentation("DAY(date)", "The day of the month.", [Example("DAY('2025-03-09')", "9")])),
        ScalarFunction(
            .date, 1...1, .bigint,
            FunctionDocumentation("MONTH(date)", "The month from 1 to 12.", [Example("MONTH('2025-03-09')", "3")])),
        ScalarFunction(
            .date, 1...1, .bigint,
            FunctionDocumentation("YEAR(date)", "The year.", [Example("YEAR('2025-03-09')", "2025")])),
    ]
}
