// Numbers with fractions the way Redis reads and writes them: C's long double, which Swift does not have everywhere.

#include "COgawaPlatform.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *text, size_t count, long double *value) {
    char buffer[256];
    if (count == 0 || count >= sizeof(buffer) || isspace((unsigned char)text[0])) {
        return false;
    }
    memcpy(buffer, text, count);
    buffer[count] = 0;
    char *end = NULL;
    *value = strtold(buffer, &end);
    return end == buffer + count && !isnan(*value);
}

opf_sum_result opf_sum_decimal(
    const char *first, size_t first_count, const char *second, size_t second_count, char *target, size_t target_count,
    size_t *written) {
    long double a, b;
    if (!parse(first, first_count, &a)) {
        return OPF_SUM_BAD_FIRST;
    }
    if (!parse(second, second_count, &b)) {
        return OPF_SUM_BAD_SECOND;
    }
    long double sum = a + b;
    if (isnan(sum) || isinf(sum)) {
        return OPF_SUM_INFINITE;
    }
    int length = snprintf(target, target_count, "%.17Lf", sum);
    if (length < 0 || (size_t)length >= target_count) {
        return OPF_SUM_INFINITE;
    }
    if (strchr(target, '.') != NULL) {
        while (length > 1 && target[length - 1] == '0') {
            length--;
        }
        if (target[length - 1] == '.') {
            length--;
        }
    }
    if (length == 2 && target[0] == '-' && target[1] == '0') {
        target[0] = '0';
        length = 1;
    }
    *written = (size_t)length;
    return OPF_SUM_OK;
}

size_t opf_format_double(double value, char *target, size_t target_count) {
    if (isinf(value)) {
        return (size_t)snprintf(target, target_count, value > 0 ? "inf" : "-inf");
    }
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(target, target_count, "%.*g", digits, value);
        if (strtod(target, NULL) == value) {
            break;
        }
    }
    return length < 0 ? 0 : (size_t)length;
}
