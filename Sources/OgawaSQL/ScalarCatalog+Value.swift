// Functions of any value, of arrays and records, and of an event's properties.

extension ScalarCatalog {
    private typealias Example = FunctionDocumentation.Example

    static let other: [ScalarFunction] = [
        ScalarFunction(
            .conditional, 1 ... .max, nil,
            FunctionDocumentation(
                "COALESCE(value, value [, …])", "The first value that is not NULL, in its own type.",
                [Example("COALESCE(NULL, 2, 'x')", "2"), Example("COALESCE(NULL, NULL)", "null")])),
        ScalarFunction(
            .conditional, 2...2, nil,
            FunctionDocumentation(
                "NULLIF(value, other)", "NULL where both are equal, else the first.",
                [Example("NULLIF(4, 4)", "null"), Example("NULLIF(5, 7)", "5"), Example("NULLIF(5, NULL)", "5")])),
        ScalarFunction(
            .conversion, 1...1, .text,
            FunctionDocumentation(
                "GetType(value)", "The name of the value's type; NULL for NULL.",
                [
                    Example("GetType(1)", "\"bigint\""), Example("GetType('a')", "\"nvarchar(max)\""),
                    Example("GetType(v)", "\"array\"", event: "\"v\": [1, 2]"),
                ])),
        ScalarFunction(
            .metadata, 2...2, nil,
            FunctionDocumentation(
                "GetMetadataPropertyValue(input, path)",
                """
                A property of the event that came with it, beside its body. The input is a stream of FROM; the path is a literal text:

                - `'[User].[name]'`, `'[User]'`: a property that the sender set; all of them as a record.
                - `'[EventHub].[PartitionId]'`, `'[EventHub].[Offset]'`, `'[EventHub].[SequenceNumber]'`, `'[EventHub].[PartitionKey]'`, \
                `'[EventHub].[EventEnqueuedUtcTime]'`: where and when the event is in its log, unless the sender set a property of that name.
                - `'IoTHub.ConnectionDeviceId'`, `'IoTHub.EnqueuedTime'`: its key and when it was enqueued, likewise.
                - `'EventId'`: an id that is the same at every reading of the event.

                What is not there is NULL.
                """,
                [
                    Example(
                        "GetMetadataPropertyValue(input, '[User].[line]')", "\"L7\"",
                        properties: "{\"User\": {\"line\": \"L7\"}}"),
                    Example("GetMetadataPropertyValue(input, '[User].[line]')", "null"),
                ])),
    ]

    static let arrays: [ScalarFunction] = [
        ScalarFunction(
            .array, 2...2, nil,
            FunctionDocumentation(
                "GetArrayElement(array, index)", "The element at an index; the first is 0.",
                [
                    Example("GetArrayElement(v, 0)", "7", event: "\"v\": [7, \"x\"]"),
                    Example("GetArrayElement(v, 5)", "null", event: "\"v\": [7, \"x\"]"),
                ])),
        ScalarFunction("GetArrayElements", .array, 1...1, isForApply: true),
        ScalarFunction(
            .array, 1...1, .bigint,
            FunctionDocumentation(
                "GetArrayLength(array)", "The number of elements.",
                [Example("GetArrayLength(v)", "2", event: "\"v\": [7, \"x\"]")])),
        ScalarFunction("GetRecordProperties", .array, 1...1, isForApply: true),
        ScalarFunction(
            .array, 2...2, nil,
            FunctionDocumentation(
                "GetRecordPropertyValue(record, name)",
                "The field of a name, which may be computed: exact spelling first, then without regard to case. In this place `\"name\"` is a text, too.",
                [
                    Example("GetRecordPropertyValue(r, 'floor')", "3", event: "\"r\": {\"floor\": 3}"),
                    Example("GetRecordPropertyValue(r, CONCAT('fl', 'oor'))", "3", event: "\"r\": {\"floor\": 3}"),
                    Example("GetRecordPropertyValue(r, 'door')", "null", event: "\"r\": {\"floor\": 3}"),
                ])),
    ]

    /// What is written like a function or an operator and parsed on its own.
    static let keywords: [ScalarFunction.Category: [FunctionDocumentation]] = [
        .conversion: [
            FunctionDocumentation(
                "CAST(value AS type)",
                "The value as another type, as the table above says; where that is impossible, it fails.",
                [
                    Example("CAST('42' AS bigint)", "42"), Example("CAST(2.9 AS bigint)", "2"),
                    Example("CAST('2025-03-01T10:00:00' AS datetime)", "\"2025-03-01T10:00:00.0000000Z\""),
                    Example("CAST(2.0 AS nvarchar(max))", "\"2\""), Example("CAST(NULL AS bit)", "null"),
                ]),
            FunctionDocumentation(
                "TRY_CAST(value AS type)", "As CAST, but NULL where that fails.",
                [Example("TRY_CAST('pump' AS float)", "null"), Example("TRY_CAST('1.5' AS bigint)", "null")]),
        ],
        .conditional: [
            FunctionDocumentation(
                "CASE WHEN condition THEN value [WHEN …] ELSE value END",
                "The value of the first condition that holds; `CASE x WHEN 1 THEN …` compares x. Where one value is a float for certain, the numbers of all are floats.",
                [
                    Example("CASE WHEN 2 > 1 THEN 'more' ELSE 'less' END", "\"more\""),
                    Example("CASE 'V' WHEN 'P' THEN 'pump' ELSE 'other' END", "\"other\""),
                    Example("CASE WHEN 2 > 1 THEN 1 ELSE 0.5 END", "1.0"),
                ])
        ],
    ]
}
