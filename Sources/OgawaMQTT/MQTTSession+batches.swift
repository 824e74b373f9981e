// Messages to the gateway in batches, and the way back to acknowledgements.

extension MQTTSession {
    /// Messages to offer to the gateway now, in order; empty where there are none or a batch is already there.
    ///
    /// Goes on after the end of the connection until everything that is still to be delivered was offered.
    package mutating func takeBatch(at now: MQTTTime) -> [MQTTDelivery] {
        if let busy, now < busy.retryAt { return [] }
        return inFlight.takeBatch()
    }

    /// Takes in what became of the batch, one outcome a message in the batch's order.
    package mutating func finishBatch(_ outcomes: [MQTTOutcome], at now: MQTTTime) -> MQTTSessionProgress {
        let couldReceive = canReceive
        let busyReason = inFlight.finishBatch(outcomes)
        guard state != .closed else {
            // Nobody can be held back any more, and nothing was promised for what is left.
            if busyReason != nil { inFlight.dropAll() }
            while inFlight.popFinished() != nil {}
            return MQTTSessionProgress()
        }
        var progress = MQTTSessionProgress(acknowledged: popAcknowledged(at: now))
        if let busyReason { progress.close = retryLater(busyReason, at: now) } else { busy = nil }
        if !couldReceive, canReceive { resumed(at: now) }
        if isStopping, inFlight.count == 0, case .close(let reason) = stop() { progress.close = reason }
        return progress
    }

    /// The acknowledgements up to the first message whose outcome is open, or which is refused and shall not have one.
    private mutating func popAcknowledged(at now: MQTTTime) -> [UInt16] {
        var acknowledged: [UInt16] = []
        while let entry = inFlight.popFinished() {
            guard entry.packetID != 0 else { continue }
            if case .refused(let reason) = entry.state, configuration.refusedPublish == .close {
                let until = now.advanced(by: configuration.refusalPause)
                state = .refusing(until: until, MQTTClose(.publishRefused, reason))
                // What follows it may not be acknowledged before it; the next connection will bring it again.
                inFlight.dropWaiting()
                while inFlight.popFinished() != nil {}
                return acknowledged
            }
            acknowledged.append(entry.packetID)
        }
        return acknowledged
    }

    private mutating func retryLater(_ reason: String, at now: MQTTTime) -> MQTTClose? {
        guard case .connected = state else {
            // The connection ends in a moment; the device will send again what is not acknowledged.
            busy = nil
            inFlight.dropAll()
            return nil
        }
        let pause = min((busy?.pause ?? configuration.busyPause / 2) * 2, .milliseconds(500))
        let giveUpAt = busy?.giveUpAt ?? now.advanced(by: configuration.busyTimeout)
        guard now < giveUpAt else {
            busy = nil
            inFlight.dropAll()
            let text = "not stored within \(configuration.busyTimeout): \(reason)"
            guard case .close(let close) = close(.busy, text) else { return nil }
            return close
        }
        busy = (min(now.advanced(by: pause), giveUpAt), pause, giveUpAt, reason)
        return nil
    }
}
