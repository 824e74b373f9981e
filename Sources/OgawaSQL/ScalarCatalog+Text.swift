// Functions of text.

extension ScalarCatalog {
    private typealias Example = FunctionDocumentation.Example

    static let text: [ScalarFunction] = [
        ScalarFunction(
            .text, 2...3, .bigint,
            FunctionDocumentation(
                "CHARINDEX(wanted, text [, start])",
                "The position of the first occurrence of `wanted` in `text`, at or behind `start`; 0 where there is none, and for an empty `wanted`. A `start` below 1 is the beginning.",
                [
                    Example("CHARINDEX('-', 'Pump-07')", "5"), Example("CHARINDEX('p', 'Pump-07', 2)", "4"),
                    Example("CHARINDEX('p', 'Pump-07', -3)", "4"), Example("CHARINDEX('#', 'Pump-07')", "0"),
                ])),
        ScalarFunction(
            .text, 1 ... .max, .text,
            FunctionDocumentation(
                "CONCAT(value, value [, …])", "The values as one text; NULL counts as ''.",
                [
                    Example("CONCAT('Make: ', 'Contoso', NULL, 7)", "\"Make: Contoso7\""),
                    Example("CONCAT(NULL, NULL)", "\"\""),
                ])),
        ScalarFunction(
            .text, 2 ... .max, .text,
            FunctionDocumentation(
                "CONCAT_WS(separator, value [, …])",
                "The values as one text with the separator between them; NULL is left out together with its separator. A separator that is NULL counts as ''.",
                [
                    Example("CONCAT_WS(', ', 'Redmond', NULL, 'WA')", "\"Redmond, WA\""),
                    Example("CONCAT_WS('-', NULL, NULL)", "\"\""),
                ])),
        ScalarFunction(
            .text, 1...1, .record,
            FunctionDocumentation(
                "JSON_PARSE(text)",
                "The record that the text of a JSON object spells; NULL for everything else, also for JSON that is no object.",
                [
                    Example("JSON_PARSE('{\"t\": 21}').t", "21"), Example("JSON_PARSE('{broken')", "null"),
                    Example("JSON_PARSE('[1, 2]')", "null"), Example("JSON_PARSE(5)", "null"),
                ])),
        ScalarFunction(
            .text, 2...2, .text,
            FunctionDocumentation(
                "LEFT(text, count)",
                "The first `count` characters, or the whole text where it has fewer. A negative count fails.",
                [Example("LEFT('abcdefg', 2)", "\"ab\""), Example("LEFT('ab', 9)", "\"ab\"")])),
        ScalarFunction(
            .text, 1...1, .bigint,
            FunctionDocumentation(
                "LEN(text)", "The number of characters; blanks at the end are not counted.",
                [Example("LEN('ab  ')", "2"), Example("LEN('  ab')", "4"), Example("LEN('温度')", "2")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "LOWER(text)", "The text in small letters.", [Example("LOWER('Pump-Ä')", "\"pump-ä\"")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "LTRIM(text)", "The text without white space at its start, of every kind that Unicode has.",
                [Example("LTRIM('  a ')", "\"a \"")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "NCHAR(code)", "The character of a Unicode code; NULL where there is none.",
                [Example("NCHAR(176)", "\"°\""), Example("NCHAR(1114112)", "null"), Example("NCHAR(-1)", "null")])),
        ScalarFunction(
            .text, 2...2, .bigint,
            FunctionDocumentation(
                "PATINDEX(pattern, text)",
                "Where the part of the text begins that the pattern describes behind its leading `%`; 0 where the text does not match. `%` is any text and `_` one character, as in `LIKE`. A pattern has at most 8,000 characters.",
                [
                    Example("PATINDEX('%07%', 'Pump-07')", "6"), Example("PATINDEX('%08%', 'Pump-07')", "0"),
                    Example("PATINDEX('P_m%', 'Pump-07')", "1"), Example("PATINDEX('%-__', 'Pump-07')", "5"),
                ])),
        regexMatch,
        ScalarFunction(
            .text, 3...3, .text,
            FunctionDocumentation(
                "REPLACE(text, pattern, replacement)",
                "The text with the replacement in place of every occurrence of the pattern; an empty pattern changes nothing.",
                [
                    Example("REPLACE('cdabcd', 'cd', 'x')", "\"xabx\""),
                    Example("REPLACE('abcde', 'cde', '')", "\"ab\""),
                    Example("REPLACE('abcde', '', 'xxx')", "\"abcde\""),
                    Example("REPLACE('abcde', 'cde', NULL)", "null"),
                ])),
        ScalarFunction(
            .text, 2...2, .text,
            FunctionDocumentation(
                "REPLICATE(text, count)", "The text `count` times; NULL where the count is negative.",
                [Example("REPLICATE('ab', 3)", "\"ababab\""), Example("REPLICATE('0', -1)", "null")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "REVERSE(text)", "The characters in reverse order.", [Example("REVERSE('abcdefg')", "\"gfedcba\"")])),
        ScalarFunction(
            .text, 2...2, .text,
            FunctionDocumentation(
                "RIGHT(text, count)",
                "The last `count` characters, or the whole text where it has fewer. A negative count fails.",
                [Example("RIGHT('Pump-07', 2)", "\"07\"")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "RTRIM(text)", "The text without white space at its end, of every kind that Unicode has.",
                [Example("RTRIM(' a  ')", "\" a\"")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "SPACE(count)", "That many blanks; NULL where the count is negative.",
                [Example("CONCAT('[', SPACE(2), ']')", "\"[  ]\""), Example("SPACE(-1)", "null")])),
        ScalarFunction(
            .text, 4...4, .text,
            FunctionDocumentation(
                "STUFF(text, start, count, inserted)",
                "The text with `count` characters from `start` on replaced by `inserted`. A start below 1 is the first character; one behind the last gives ''. A negative count fails.",
                [
                    Example("STUFF('abcdef', 2, 3, 'ijklmn')", "\"aijklmnef\""),
                    Example("STUFF('abc', 2, 0, '-')", "\"a-bc\""),
                    Example("STUFF('abc', 4, 1, 'x')", "\"\""),
                ])),
        ScalarFunction(
            .text, 3...3, .text,
            FunctionDocumentation(
                "SUBSTRING(text, start, count)",
                "The characters from `start` on, at most `count`. With a start below 1 those before the first count, too: start + count - 1 are left. A negative count fails.",
                [
                    Example("SUBSTRING('abcdefg', 2, 4)", "\"bcde\""), Example("SUBSTRING('abcdefg', 0, 3)", "\"ab\""),
                    Example("SUBSTRING('abc', 9, 1)", "\"\""),
                ])),
        ScalarFunction(
            .text, 3...3, .text,
            FunctionDocumentation(
                "TRANSLATE(text, characters, translations)",
                "The text with each of the characters replaced by the translation in the same place; none is replaced twice. Both lists must be equally long.",
                [
                    Example("TRANSLATE('2*[3+4]/{7-2}', '[]{}', '()()')", "\"2*(3+4)/(7-2)\""),
                    Example("TRANSLATE('ab', 'ab', 'ba')", "\"ba\""),
                ])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation(
                "TRIM(text)", "The text without white space at both ends, of every kind that Unicode has.",
                [Example("TRIM('  a b ')", "\"a b\"")])),
        ScalarFunction(
            .text, 1...1, .bigint,
            FunctionDocumentation(
                "UNICODE(text)", "The Unicode code of the first character; NULL for an empty text.",
                [Example("UNICODE('A1')", "65"), Example("UNICODE('茶')", "33590")])),
        ScalarFunction(
            .text, 1...1, .text,
            FunctionDocumentation("UPPER(text)", "The text in capitals.", [Example("UPPER('pump-ä')", "\"PUMP-Ä\"")])),
    ]

    private static let regexMatch = ScalarFunction(
        .text, 2...2, .bigint,
        FunctionDocumentation(
            "REGEXMATCH(text, pattern)",
            """
            The position of the first match of a regular expression; 0 where nothing matches, and where the pattern is no regular expression.

            The syntax is ECMAScript's: `.` `[a-z]` `[^a-z]` `\\d` `\\D` `\\w` `\\W` `\\s` `\\S` `\\b` `\\B` `^` `$` `(…)` `(?:…)` `a|b` `*` `+` `?` `{n}` `{n,}` \
            `{n,m}`, also with `?` behind them. Case does not matter; `^` and `$` are the ends of the whole text, and `.` is every character. The time is \
            proportional to the text, whatever the pattern; therefore look-ahead, look-behind and back references are refused, and so is a \
            pattern with more than 2,000 steps once its repetitions are written out.
            """,
            [
                Example("REGEXMATCH('NJB 1006', '[0-9]{3}')", "5"), Example("REGEXMATCH('Pump', '^p\\w+$')", "1"),
                Example("REGEXMATCH('Pump', 'valve')", "0"), Example("REGEXMATCH('Pump', '(')", "0"),
                Example("REGEXMATCH(NULL, 'a')", "null"),
            ]))
}
