// The limit: the three thermo queries by hand, single-threaded, with simdjson. Also makes the workload.
//
//   thermo generate DEVICES EVENTS SEED MILLISECONDS > thermo.ndjson
//   thermo a|b|c|parse INPUT [OUTPUT]        without OUTPUT the rows are only counted
//
// The rows have the form that `ogawa query` gives. A running sum, as a programmer in a hurry writes it.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace simdjson;

namespace {

// Names to dense numbers: open addressing, FNV-1a over 8 bytes at a time.
class Names {
public:
    Names() : slots(1024, -1) {}

    uint32_t number(std::string_view name) {
        const uint64_t hash = hashed(name);
        size_t slot = hash & (slots.size() - 1);
        while (slots[slot] >= 0) {
            const size_t id = size_t(slots[slot]);
            if (hashes[id] == hash && names[id] == name) return uint32_t(id);
            slot = (slot + 1) & (slots.size() - 1);
        }
        slots[slot] = int32_t(names.size());
        names.emplace_back(name);
        hashes.push_back(hash);
        if (names.size() * 2 > slots.size()) grow();
        return uint32_t(names.size() - 1);
    }

    size_t count() const { return names.size(); }
    const std::string &name(size_t id) const { return names[id]; }

private:
    std::vector<int32_t> slots;
    std::vector<std::string> names;
    std::vector<uint64_t> hashes;

    static uint64_t hashed(std::string_view name) {
        uint64_t hash = 0xcbf29ce484222325 ^ name.size();
        size_t i = 0;
        for (uint64_t word; i + 8 <= name.size(); i += 8) {
            std::memcpy(&word, name.data() + i, 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15;
            hash ^= hash >> 32;
        }
        for (; i < name.size(); i++) hash = (hash ^ uint8_t(name[i])) * 0x100000001b3;
        return hash ^ (hash >> 29);
    }

    void grow() {
        slots.assign(slots.size() * 2, -1);
        for (size_t id = 0; id < names.size(); id++) {
            size_t slot = hashes[id] & (slots.size() - 1);
            while (slots[slot] >= 0) slot = (slot + 1) & (slots.size() - 1);
            slots[slot] = int32_t(id);
        }
    }
};

int64_t days(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    const int64_t era = year / 400, of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// Milliseconds since 1970 of YYYY-MM-DDThh:mm:ss.sssZ; the workload has no other form.
int64_t milliseconds(std::string_view text) {
    auto number = [&](size_t start, size_t count) {
        int64_t value = 0;
        for (size_t i = start; i < start + count; i++) value = value * 10 + (text[i] - '0');
        return value;
    };
    if (text.size() != 24) std::abort();
    const int64_t date = days(number(0, 4), number(5, 2), number(8, 2));
    return ((date * 24 + number(11, 2)) * 60 + number(14, 2)) * 60000 + number(17, 2) * 1000 + number(20, 3);
}

std::string written(int64_t time) {
    const time_t seconds = time_t(time / 1000);
    tm parts;
    gmtime_r(&seconds, &parts);
    char text[64];
    const size_t count = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + count, sizeof text - count, ".%03dZ", int(time % 1000));
    return text;
}

class Rows {
public:
    explicit Rows(const char *path) : descriptor(path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1) {
        buffer.resize(1 << 18);
    }

    // {"deviceId":"…","t":"…","m":…}
    void add(std::string_view device, std::string_view time, double mean) {
        count++;
        if (descriptor < 0) {
            sum += mean;
            return;
        }
        if (used + 256 > buffer.size()) flush();
        char *out = buffer.data() + used;
        auto put = [&out](std::string_view text) {
            std::memcpy(out, text.data(), text.size());
            out += text.size();
        };
        put("{\"deviceId\":\"");
        put(device);
        put("\",\"t\":\"");
        put(time.substr(0, 23));
        put("0000Z\",\"m\":");
        out = std::to_chars(out, out + 32, mean).ptr;
        put("}\n");
        used = size_t(out - buffer.data());
    }

    void finish() {
        if (descriptor >= 0) flush();
        std::printf("%zu rows\n", count);
    }

private:
    int descriptor;
    std::vector<char> buffer;
    size_t used = 0, count = 0;
    volatile double sum = 0;

    void flush() {
        if (write(descriptor, buffer.data(), used) != ssize_t(used)) std::abort();
        used = 0;
    }
};

struct Reading {
    std::string_view device, time;
    double celsius;
};

// Reads the file in blocks of 1 MB and gives each reading.
template <typename Take> void each(const char *path, Take take) {
    const int descriptor = open(path, O_RDONLY);
    if (descriptor < 0) std::abort();
    constexpr size_t block = 1 << 20;
    std::vector<char> bytes(2 * block + SIMDJSON_PADDING);
    ondemand::parser parser;
    size_t rest = 0;
    while (true) {
        const ssize_t got = read(descriptor, bytes.data() + rest, block);
        if (got <= 0) break;
        size_t used = rest + size_t(got);
        const char *last = static_cast<const char *>(memrchr(bytes.data(), '\n', used));
        const size_t whole = last ? size_t(last - bytes.data()) + 1 : 0;
        ondemand::document_stream documents;
        if (parser.iterate_many(bytes.data(), whole, block + block / 2).get(documents)) std::abort();
        for (auto document : documents) {
            Reading reading;
            double voltage;
            if (document["deviceId"].get_string().get(reading.device)) std::abort();
            if (document["timestamp"].get_string().get(reading.time)) std::abort();
            if (document["voltage"].get_double().get(voltage)) std::abort();
            reading.celsius = (voltage - 0.5) * 100;
            take(reading);
        }
        rest = used - whole;
        std::memmove(bytes.data(), bytes.data() + whole, rest);
    }
    close(descriptor);
}

void last_ten(const char *input, Rows &rows) {
    struct State {
        double values[10], sum = 0;
        uint32_t count = 0;
    };
    Names names;
    std::vector<State> states;
    each(input, [&](const Reading &reading) {
        const uint32_t id = names.number(reading.device);
        if (id == states.size()) states.emplace_back();
        State &state = states[id];
        const uint32_t place = state.count % 10;
        if (state.count >= 10) state.sum -= state.values[place];
        state.values[place] = reading.celsius;
        state.sum += reading.celsius;
        state.count++;
        (void)milliseconds(reading.time);
        rows.add(reading.device, reading.time, state.sum / double(std::min(state.count, 10u)));
    });
}

void five_minutes(const char *input, Rows &rows) {
    struct State {
        double sum;
        int64_t count;
    };
    Names names;
    std::vector<State> states;
    std::vector<uint32_t> seen;
    int64_t end = 0;
    auto close = [&] {
        const std::string time = written(end);
        for (uint32_t id : seen) {
            rows.add(names.name(id), time, states[id].sum / double(states[id].count));
            states[id] = State{0, 0};
        }
        seen.clear();
    };
    each(input, [&](const Reading &reading) {
        const int64_t time = milliseconds(reading.time);
        if (time > end) {
            if (!seen.empty()) close();
            end = (time + 299999) / 300000 * 300000;
        }
        const uint32_t id = names.number(reading.device);
        if (id == states.size()) states.push_back(State{0, 0});
        if (states[id].count == 0) seen.push_back(id);
        states[id].sum += reading.celsius;
        states[id].count++;
    });
    if (!seen.empty()) close();
}

void last_minute(const char *input, Rows &rows) {
    struct Entry {
        int64_t time;
        double value;
    };
    // A ring per device, a power of two long.
    struct State {
        std::vector<Entry> ring;
        uint32_t head = 0, tail = 0;
        double sum = 0;
    };
    Names names;
    std::vector<State> states;
    each(input, [&](const Reading &reading) {
        const int64_t time = milliseconds(reading.time);
        const uint32_t id = names.number(reading.device);
        if (id == states.size()) states.emplace_back();
        State &state = states[id];
        const uint32_t size = uint32_t(state.ring.size());
        while (state.head != state.tail && state.ring[state.head & (size - 1)].time <= time - 60000)
            state.sum -= state.ring[state.head++ & (size - 1)].value;
        if (state.tail - state.head == size) {
            std::vector<Entry> larger(size ? size * 2 : 4);
            for (uint32_t i = state.head; i != state.tail; i++)
                larger[i & uint32_t(larger.size() - 1)] = state.ring[i & (size - 1)];
            state.ring.swap(larger);
        }
        state.ring[state.tail++ & uint32_t(state.ring.size() - 1)] = Entry{time, reading.celsius};
        state.sum += reading.celsius;
        rows.add(reading.device, reading.time, state.sum / double(state.tail - state.head));
    });
}

// SplitMix64, as in `ogawa bench sql`, so that both make the same file.
struct Random {
    uint64_t state;
    uint64_t next() {
        uint64_t value = state += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
};

void generate(uint64_t devices, uint64_t events, uint64_t seed, int64_t interval) {
    Random random{seed};
    const int64_t start = days(2026, 11, 22) * 86400000;
    for (uint64_t i = 0; i < events; i++) {
        const uint64_t device = random.next() % devices;
        const uint64_t voltage = 50000 + random.next() % 50000;
        std::printf("{\"deviceId\":\"dev-%06llu\",\"timestamp\":\"%s\",\"seq\":%llu,\"voltage\":0.%05llu,\"site\":\"tokyo-%llu\"}\n",
            (unsigned long long)device, written(start + int64_t(i) * interval).c_str(), (unsigned long long)i,
            (unsigned long long)voltage, (unsigned long long)(device % 4 + 1));
    }
}

}  // namespace

int main(int count, char **words) {
    if (count >= 6 && std::string_view(words[1]) == "generate") {
        generate(std::stoull(words[2]), std::stoull(words[3]), std::stoull(words[4]), std::stoll(words[5]));
        return 0;
    }
    if (count < 3) {
        std::fprintf(stderr, "usage: thermo generate DEVICES EVENTS SEED MILLISECONDS | thermo a|b|c|parse INPUT [OUTPUT]\n");
        return 2;
    }
    const std::string_view what = words[1];
    Rows rows(count > 3 ? words[3] : nullptr);
    if (what == "a") last_ten(words[2], rows);
    if (what == "b") five_minutes(words[2], rows);
    if (what == "c") last_minute(words[2], rows);
    if (what == "parse") each(words[2], [&](const Reading &reading) { rows.add(reading.device, reading.time, reading.celsius); });
    rows.finish();
    return 0;
}
