import OgawaCore
import OgawaPlatform

/// The scripts that runtimes load first; they are part of the binary and are written out at the host's start.
enum Bootstrap {
    enum Entry: String {
        case node = "node-bootstrap.cjs"
        case python = "python_bootstrap.py"
    }

    private static let files: [(name: String, bytes: [UInt8])] = [
        ("node-bootstrap.cjs", PackageResources.node_bootstrap_cjs),
        ("node-azure.cjs", PackageResources.node_azure_cjs),
        ("node-azure-builtin.cjs", PackageResources.node_azure_builtin_cjs),
        ("node-aws.cjs", PackageResources.node_aws_cjs),
        ("python_bootstrap.py", PackageResources.python_bootstrap_py),
        ("python_azure.py", PackageResources.python_azure_py),
    ]

    static func path(_ entry: Entry, in directory: String) -> String { "\(directory)/\(entry.rawValue)" }

    /// Writes the scripts that are absent or differ.
    static func install(in directory: String) throws {
        let system = POSIXFileSystem()
        try system.createDirectory(directory)
        for (name, bytes) in files { try FileText.write(bytes, to: "\(directory)/\(name)") }
    }
}
