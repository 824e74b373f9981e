import OgawaCore
import OgawaServer

/// A function of a running instance, whatever it is written in.
///
/// **Isolation.** Owned by the instance, which calls it under its own lock; reports may be asked for from any task.
protocol RunningFunction: AnyObject {
    var name: String { get }
    /// The file or folder within the project.
    var path: String { get }
    /// Events taken in since the start.
    var eventsIn: Int { get }

    func start()

    /// Stops after the steps under way; blocks until the threads have ended.
    func stop()

    /// Whether the function runs another text or with other settings in the new project.
    func differs(in project: Project, from old: Project) -> Bool

    /// - Parameter problem: why the newest text of the function does not run, where an older one does.
    func report(now: Timestamp, eventsPerSecond: Double, problem: String?) -> FunctionReport
}
