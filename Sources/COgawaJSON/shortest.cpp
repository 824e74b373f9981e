// The shortest decimal that reads back as the same double, of these the one nearest to it: Raffaello Giulietti's Schubfach
// (2020), which needs one 128-bit power of ten and three multiplications. The text is laid out as std::to_chars does without a
// format: the shorter of the plain and the scientific form, the plain one where they are equally long. Large whole numbers whose
// plain form has more digits than the shortest decimal are left to std::to_chars.

#include "shortest.hpp"

#include "powers_of_ten.hpp"

#include <charconv>
#include <cstdint>
#include <cstring>

namespace ogj {

namespace {

struct Decimal {
    uint64_t digits;
    int exponent;  // the value is digits * 10^exponent
};

constexpr int mantissa_bits = 52, bias = 1075;

int floor_log10_pow2(int e) { return (e * 1262611) >> 22; }
int floor_log10_three_quarters_pow2(int e) { return (e * 1262611 - 524031) >> 22; }
int floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

// The product's upper 64 bits, the last of them set where anything below is not 0.
uint64_t round_to_odd(Power g, uint64_t c) {
    const unsigned __int128 x = static_cast<unsigned __int128>(g.low) * c;
    const unsigned __int128 y = static_cast<unsigned __int128>(g.high) * c + uint64_t(x >> 64);
    return uint64_t(y >> 64) | (uint64_t(y) > 1);
}

// `fraction` and `exponent` are the fields of a double that is not 0.
Decimal shortest(uint64_t fraction, int exponent) {
    uint64_t c = fraction;
    int q = 1 - bias;
    if (exponent != 0) {
        c |= uint64_t(1) << mantissa_bits;
        q = exponent - bias;
        // A whole number below 2^53 is its own shortest decimal but for zeros at its end, which the layout puts back.
        if (0 <= -q && -q <= mantissa_bits && (c & ((uint64_t(1) << -q) - 1)) == 0) return Decimal{c >> -q, 0};
    }
    const bool is_even = c % 2 == 0;
    const bool is_lower_closer = fraction == 0 && exponent > 1;
    const uint64_t below = 4 * c - 2 + is_lower_closer, middle = 4 * c, above = 4 * c + 2;
    const int k = is_lower_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    const int h = q + floor_log2_pow10(-k) + 1;
    const Power power = powers_of_ten[-k - lowest_power];
    const uint64_t lower = round_to_odd(power, below << h) + !is_even;
    const uint64_t value = round_to_odd(power, middle << h);
    const uint64_t upper = round_to_odd(power, above << h) - !is_even;
    const uint64_t s = value / 4;
    if (s >= 10) {
        const uint64_t ten = s / 10;
        const bool is_under_inside = lower <= 40 * ten, is_over_inside = 40 * ten + 40 <= upper;
        if (is_under_inside != is_over_inside) return Decimal{ten + is_over_inside, k + 1};
    }
    const bool is_under_inside = lower <= 4 * s, is_over_inside = 4 * s + 4 <= upper;
    if (is_under_inside != is_over_inside) return Decimal{s + is_over_inside, k};
    const uint64_t half = 4 * s + 2;
    const bool rounds_up = value > half || (value == half && s % 2 != 0);
    return Decimal{s + rounds_up, k};
}

constexpr char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

void write_eight(uint32_t value, char *target) {
    const uint32_t high = value / 10000, low = value % 10000;
    std::memcpy(target, pairs + high / 100 * 2, 2);
    std::memcpy(target + 2, pairs + high % 100 * 2, 2);
    std::memcpy(target + 4, pairs + low / 100 * 2, 2);
    std::memcpy(target + 6, pairs + low % 100 * 2, 2);
}

// Writes the digits so that they end at target + 17, with zeros before them.
void write_seventeen(uint64_t digits, char *target) {
    const uint64_t high = digits / 100000000;
    const uint32_t low = uint32_t(digits - high * 100000000);
    const uint64_t top = high / 100000000;
    write_eight(uint32_t(high - top * 100000000), target + 1);
    write_eight(low, target + 9);
    target[0] = char('0' + top);
}

int count_digits(uint64_t value) {
    static constexpr uint64_t powers[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
        10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000};
    const int guess = (64 - __builtin_clzll(value | 1)) * 1233 >> 12;
    return guess + (value >= powers[guess]);
}

}  // namespace

char *write_shortest(double value, char *target) {
    uint64_t bits;
    std::memcpy(&bits, &value, 8);
    const uint64_t fraction = bits & ((uint64_t(1) << mantissa_bits) - 1);
    const int field = int(bits >> mantissa_bits & 0x7ff);
    if ((fraction == 0 && field == 0) || field == 0x7ff) return std::to_chars(target, target + 32, value).ptr;
    Decimal decimal = shortest(fraction, field);
    while (decimal.digits % 10 == 0) decimal.digits /= 10, decimal.exponent++;
    const int count = count_digits(decimal.digits);
    const int place = decimal.exponent + count - 1;  // the power of ten of the first digit
    const int scientific = count + (count > 1) + (place <= -100 || place >= 100 ? 5 : 4);
    const int plain = place >= count - 1 ? place + 1 : place >= 0 ? count + 1 : count + 1 - place;
    if (plain > scientific || place > 15) return std::to_chars(target, target + 32, value).ptr;
    if (bits >> 63 != 0) *target++ = '-';
    // Copies of fixed length, whose surplus is overwritten or lies behind the text.
    char text[40];
    write_seventeen(decimal.digits, text);
    const char *digits = text + 17 - count;
    if (place < 0) {
        // "0." and zeros, of which there are at most 4, then all digits.
        std::memcpy(target, "0.000000", 8);
        target += 1 - place;
        std::memcpy(target, digits, 17);
        return target + count;
    }
    const int whole = place + 1;
    std::memcpy(target, digits, 17);
    if (whole >= count) {
        for (char *zero = target + count; zero < target + whole; zero++) *zero = '0';
        return target + whole;
    }
    target[whole] = '.';
    std::memcpy(target + whole + 1, digits + whole, 17);
    return target + count + 1;
}

}  // namespace ogj
