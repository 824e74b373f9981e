// swift-tools-version: 6.1
import PackageDescription

// A target imports only from the layers above its own; dev/check refuses an upward import.
// OGAWA_STRICT=1 (set by the Makefile) turns compiler warnings of our own targets into errors.
let strict = Context.environment["OGAWA_STRICT"] == "1"

let settings: [SwiftSetting] =
    [.enableUpcomingFeature("ExistentialAny")]
    + (strict ? [.unsafeFlags(["-warnings-as-errors"])] : [])

func layer(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

/// A layer that works on every event.
///
/// Overlapping accesses to properties are checked in debug builds, which the tests use; in release builds these checks took 17 % of a
/// query's time.
func hotLayer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    let unchecked = SwiftSetting.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
    return .target(name: name, dependencies: dependencies, swiftSettings: settings + [unchecked])
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "ogawa",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "ogawa", targets: ["OgawaCLI"]),
        .library(name: "Ogawa", targets: ["Ogawa"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.16.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.5.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
    ],
    targets: [
        // L0
        hotLayer("OgawaCore", []),
        // L1
        .target(name: "COgawaPlatform", linkerSettings: [.linkedLibrary("z")]),
        layer("OgawaPlatform", ["OgawaCore", "COgawaPlatform"]),
        .target(
            name: "COgawaJSON",
            cxxSettings: [.unsafeFlags(["-O3"])],
            linkerSettings: [.linkedLibrary("simdjson")]),
        hotLayer("OgawaJSON", ["OgawaCore", "COgawaJSON"]),
        layer("OgawaMQTT", ["OgawaCore"]),
        layer("OgawaSQL", ["OgawaCore"]),
        // L2
        layer("OgawaLog", ["OgawaCore", "OgawaPlatform"]),
        layer("OgawaState", ["OgawaCore", "OgawaPlatform"]),
        layer("OgawaStore", ["OgawaCore", .product(name: "GRDB", package: "GRDB.swift")]),
        // L3
        hotLayer("OgawaEngine", ["OgawaCore", "OgawaJSON", "OgawaSQL"]),
        layer(
            "OgawaHost",
            ["OgawaCore", "OgawaPlatform", "OgawaJSON", .product(name: "Yams", package: "Yams")],
            resources: [
                "node-bootstrap.cjs", "node-azure.cjs", "node-azure-builtin.cjs", "node-aws.cjs",
                "python_bootstrap.py", "python_azure.py",
            ].map { .embedInCode("Bootstraps/\($0)") }),
        // L4
        layer(
            "OgawaServer",
            [
                "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaMQTT", "OgawaLog", "OgawaStore", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
            ] + nio,
            resources: [.embedInCode("Console/index.html")]),
        // L5
        layer(
            "Ogawa",
            [
                "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaSQL", "OgawaLog", "OgawaStore", "OgawaState",
                "OgawaEngine", "OgawaHost", "OgawaServer", logging, .product(name: "Yams", package: "Yams"),
            ]),
        // L6
        .executableTarget(
            name: "OgawaCLI",
            dependencies: [
                "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaMQTT", "OgawaSQL", "OgawaLog", "OgawaStore",
                "OgawaEngine", "OgawaServer", "Ogawa", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ] + nio,
            swiftSettings: settings),
        // Tests only
        layer("OgawaTesting", ["OgawaCore", "OgawaPlatform"]),
        tests("OgawaCoreTests", ["OgawaCore"]),
        tests("OgawaPlatformTests", ["OgawaCore", "OgawaPlatform", "OgawaTesting"]),
        tests("OgawaJSONTests", ["OgawaCore", "OgawaJSON"]),
        tests("OgawaMQTTTests", ["OgawaCore", "OgawaMQTT"]),
        tests("OgawaSQLTests", ["OgawaCore", "OgawaSQL"]),
        tests("OgawaLogTests", ["OgawaCore", "OgawaPlatform", "OgawaLog", "OgawaTesting"]),
        tests("OgawaStateTests", ["OgawaCore", "OgawaPlatform", "OgawaState", "OgawaTesting"]),
        tests("OgawaStoreTests", ["OgawaCore", "OgawaStore", .product(name: "GRDB", package: "GRDB.swift")]),
        tests("OgawaEngineTests", ["OgawaCore", "OgawaJSON", "OgawaSQL", "OgawaEngine"]),
        tests("OgawaHostTests", ["OgawaCore", "OgawaPlatform", "OgawaHost"]),
        tests(
            "OgawaServerTests",
            [
                "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaMQTT", "OgawaLog", "OgawaStore", "OgawaServer",
                "OgawaTesting", logging,
            ] + nio),
        tests(
            "OgawaTests",
            [
                "OgawaCore", "OgawaPlatform", "OgawaJSON", "OgawaLog", "OgawaSQL", "OgawaEngine", "OgawaServer",
                "OgawaStore", "Ogawa", "OgawaTesting",
            ]),
        tests("OgawaCLITests", ["OgawaCore", "Ogawa", "OgawaCLI"]),
    ],
    cxxLanguageStandard: .cxx20
)
