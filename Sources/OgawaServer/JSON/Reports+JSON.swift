// Reports as JSON text, members in the order of docs/http-api.md.

extension StatusReport {
    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("name", name)
            $0.member("startedAt", startedAt)
            $0.member("uptimeSeconds", uptimeSeconds)
            $0.member("now", now)
            $0.member("version", version)
            $0.name("listen")
            if let listen {
                $0.object {
                    $0.member("http", listen.http)
                    $0.member("mqtt", listen.mqtt)
                }
            } else {
                $0.null()
            }
            $0.member("streams", each: streams) { $0.writeMembers(to: &$1) }
            $0.member("functions", each: functions) { $0.writeMembers(to: &$1) }
            $0.member("outputs", each: outputs) { $0.writeMembers(to: &$1) }
            $0.member("rejected", rejected)
            $0.name("connections")
            $0.object {
                $0.member("http", connections.http)
                $0.member("mqtt", connections.mqtt)
                $0.member("live", connections.live)
            }
        }
    }
}

extension StreamReport {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("partitions", partitions)
        writer.member("events", events)
        writer.member("bytes", bytes)
        writer.member("eventsPerSecond", eventsPerSecond)
        writer.member("firstOffset", firstOffset)
        writer.member("nextOffset", nextOffset)
    }
}

extension FunctionReport {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("file", file)
        writer.member("state", state)
        writer.member("inputs", inputs)
        writer.member("outputs", outputs)
        writer.member("eventsIn", eventsIn)
        writer.member("rowsOut", rowsOut)
        writer.member("eventsPerSecond", eventsPerSecond)
        writer.member("lagEvents", lagEvents)
        writer.member("lagSeconds", lagSeconds)
        writer.member("watermark", watermark)
        writer.member("late", late)
        writer.member("early", early)
        writer.member("outOfOrder", outOfOrder)
        writer.member("dropped", dropped)
        writer.member("lastError", lastError)
    }
}

extension OutputReport {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("kind", kind)
        writer.member("rows", rows)
        writer.member("rowsPerSecond", rowsPerSecond)
        writer.member("columns", columns)
        writer.member("key", key)
        writer.member("range", range)
    }
}

extension DevicesReport {
    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("devices", each: devices) { device, writer in
                writer.member("id", device.id)
                writer.member("stream", device.stream)
                writer.member("lastSeen", device.lastSeen)
                writer.member("lastEventTime", device.lastEventTime)
                writer.member("clockOffsetSeconds", device.clockOffsetSeconds)
                writer.member("events", device.events)
                writer.name("lastBody")
                writer.literal(device.lastBody?.text ?? "null")
            }
        }
    }
}

extension RejectionsReport {
    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("total", total)
            $0.member("rejections", each: rejections) { rejection, writer in
                writer.member("time", rejection.time)
                writer.member("kind", rejection.kind)
                writer.member("stream", rejection.stream)
                writer.member("function", rejection.function)
                writer.member("device", rejection.device)
                writer.member("reason", rejection.reason)
            }
        }
    }
}
