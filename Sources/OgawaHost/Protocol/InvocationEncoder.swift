import OgawaCore

// Events travel as they are, in one block of bytes; the header tells where each begins. The worker decodes what it needs.

/// Turns a call into the `invoke` message of docs/functions-protocol.md.
enum InvocationEncoder {
    static func encode(_ invocation: FunctionInvocation, timeout: Duration) -> (header: [UInt8], payload: [UInt8]) {
        var payload: [UInt8] = []
        var writer = JSONTextWriter()
        writer.object { writer in
            writer.member("type", "invoke")
            writer.member("id", invocation.id)
            writer.member("function", invocation.function)
            writer.member("attempt", invocation.attempt)
            writer.member("maxAttempts", invocation.maximumAttempts)
            writer.member("timeoutMs", timeout.ticks / Timestamp.ticksPerMillisecond)
            if let failure = invocation.previousFailure { writer.member("previousError", failure) }
            switch invocation.trigger {
            case .events(let input): events(input, &writer, &payload)
            case .timer(let timer): self.timer(timer, &writer)
            case .web(let request): web(request, &writer, &payload)
            }
            writer.name("state")
            writer.array { writer in
                for key in invocation.state.keys.sorted() {
                    guard let value = invocation.state[key] else { continue }
                    writer.array { pair in
                        pair.text(key)
                        pair.number(value.count)
                    }
                    payload += value
                }
            }
        }
        return (writer.bytes, payload)
    }

    private static func events(_ input: EventInput, _ writer: inout JSONTextWriter, _ payload: inout [UInt8]) {
        let batch = input.batch
        writer.member("trigger", "events")
        writer.member("stream", input.stream)
        writer.member("consumer", input.consumer)
        writer.member("partition", batch.partition.rawValue)
        writer.member("firstOffset", batch.firstOffset.rawValue)
        writer.name("keys")
        writer.array { keys in
            for key in batch.keys { keys.text(utf8: batch.bytes[key.range]) }
        }
        writer.name("enqueued")
        writer.array { times in
            // Microseconds since 1970: a JavaScript number holds them exactly.
            for time in batch.enqueuedTimes { times.number(time / 10) }
        }
        if batch.properties.contains(where: { $0.count > 0 }) {
            writer.name("properties")
            writer.array { texts in
                // As text: what a sender put there is checked where it is read.
                for slice in batch.properties { texts.text(utf8: batch.bytes[slice.range]) }
            }
        }
        writer.name("bodies")
        writer.array { lengths in
            for body in batch.bodies { lengths.number(body.count) }
        }
        payload.reserveCapacity(batch.bodies.reduce(0) { $0 + Int($1.count) })
        for body in batch.bodies { payload += batch.bytes[body.range] }
        if let window = input.window { self.window(window, &writer, &payload) }
    }

    private static func window(_ window: WindowInput, _ writer: inout JSONTextWriter, _ payload: inout [UInt8]) {
        writer.name("window")
        writer.object {
            $0.member("start", window.start.iso8601Seconds)
            $0.member("end", window.end.iso8601Seconds)
            $0.name("isFinal")
            $0.bool(window.isFinal)
            $0.name("isTerminatedEarly")
            $0.bool(window.isTerminatedEarly)
            $0.member("state", window.state?.count ?? 0)
        }
        payload += window.state ?? []
    }

    private static func timer(_ timer: TimerInput, _ writer: inout JSONTextWriter) {
        writer.member("trigger", "timer")
        writer.name("timer")
        writer.object {
            $0.member("scheduled", timer.scheduled.ticks / 10)
            if let last = timer.last { $0.member("last", last.ticks / 10) }
            if let next = timer.next { $0.member("next", next.ticks / 10) }
            $0.name("isPastDue")
            $0.bool(timer.isPastDue)
        }
    }

    private static func web(_ request: WebRequest, _ writer: inout JSONTextWriter, _ payload: inout [UInt8]) {
        writer.member("trigger", "web")
        writer.name("web")
        writer.object { writer in
            writer.member("method", request.method)
            writer.member("target", request.target)
            writer.name("headers")
            writer.array { headers in
                for field in request.headers {
                    headers.array {
                        $0.text(field.name)
                        $0.text(field.value)
                    }
                }
            }
            writer.name("parameters")
            writer.object {
                for (name, value) in request.parameters.sorted(by: { $0.key < $1.key }) { $0.member(name, value) }
            }
            writer.member("body", request.body.count)
        }
        payload += request.body
    }
}
