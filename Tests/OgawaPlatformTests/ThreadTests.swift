import OgawaCore
import OgawaPlatform
import OgawaTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ThreadTests {
    @Test func `a ring before the wait is kept, several count as one`() {
        let bell = Bell()
        bell.ring()
        bell.ring()
        #expect(bell.wait(timeout: .seconds(60)))
        #expect(!bell.wait(timeout: .zero))
        #expect(!bell.wait(timeout: .milliseconds(1)))
        #expect(!bell.wait(timeout: .seconds(-5)))
    }

    @Test func `a ring wakes a waiting thread`() {
        let bell = Bell()
        let answer = Bell()
        let thread = DedicatedThread(name: "a name longer than the system keeps") {
            for _ in 0..<100 {
                bell.wait()
                answer.ring()
            }
        }
        for _ in 0..<100 {
            bell.ring()
            #expect(answer.wait(timeout: .seconds(60)))
        }
        thread.join()
    }

    @Test func `the system clock stands between two known years`() {
        let now = SystemClock().now()
        #expect(now > (Timestamp("2025-01-01T00:00:00Z") ?? .max))
        #expect(now < (Timestamp("2200-01-01T00:00:00Z") ?? .min))
    }
}
